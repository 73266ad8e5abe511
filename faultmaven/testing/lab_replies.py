"""What the lab answers: literal bytes from the wire reference, checked on 2026-11-23, each under its heading.

Nothing here is made by our wire modules, so the lab cannot share a parser's mistake.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LabReply:
    """One HTTP reply as the lab sends it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


def _json(status: int, body: bytes, **headers: str) -> LabReply:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return LabReply(status, body, {"content-type": "application/json", **told})


ANSWER = "The container was killed: out of memory."

HTML = LabReply(200, b"<!doctype html><html><body>Sign in</body></html>", {"content-type": "text/html; charset=utf-8"})
WRONG_SHAPE = _json(200, b'{"unexpected":true}')
NO_ROUTE = _json(404, b'{"detail":"Not Found"}')
REDIRECT = LabReply(307, b"", {"location": "https://elsewhere.invalid/login"})

# openai-chat.md, sections 3 and 5
OPENAI_CHAT = {
    "ok": _json(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"The container was killed: out of memory.",'
        b'"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42,'
        b'"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":0,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":0,"accepted_prediction_tokens":0,'
        b'"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_x"}',
        x_request_id="req_lab_1",
    ),
    "empty": _json(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null},'
        b'"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}',
    ),
    "blocked": _json(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}',
    ),
    "unauthorized": _json(
        401,
        b'{"error":{"message":"Incorrect API key provided.","type":"invalid_request_error","param":null,'
        b'"code":"invalid_api_key"}}',
        x_request_id="req_lab_401",
    ),
    "not_found_model": _json(
        404,
        b'{"error":{"message":"The model does not exist or you do not have access to it.",'
        b'"type":"invalid_request_error","param":"model","code":"model_not_found"}}',
    ),
    "rate_limited": _json(
        429,
        b'{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}',
        retry_after="2",
    ),
    "quota": _json(
        429,
        b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,'
        b'"code":"insufficient_quota"}}',
    ),
    "overloaded": _json(
        503,
        b'{"error":{"message":"The server is overloaded","type":"service_unavailable_error","param":null,'
        b'"code":"server_is_overloaded"}}',
    ),
    "server_error": _json(
        500, b'{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}'
    ),
    "context_too_long": _json(
        400,
        b'{"error":{"message":"Your input exceeds the context window of this model.",'
        b'"type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
    ),
    "models": _json(
        200,
        b'{"object":"list","data":[{"id":"gpt-6.2-sol","object":"model","created":1,"owned_by":"openai"},'
        b'{"id":"openai/gpt-oss-120b","object":"model","created":1,"owned_by":"openai"}]}',
    ),
}

# openai-responses.md, section 3; errors as openai-chat.md
OPENAI_RESPONSES = OPENAI_CHAT | {
    "ok": _json(
        200,
        b'{"id":"resp_1","object":"response","created_at":1795000000,"status":"completed","model":"gpt-6.2-sol",'
        b'"error":null,"incomplete_details":null,"output":['
        b'{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"..."},'
        b'{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text",'
        b'"text":"The container was killed: out of memory.","annotations":[]}]}],'
        b'"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},'
        b'"output_tokens":30,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":42}}',
    ),
    "empty": _json(
        200,
        b'{"id":"resp_1","object":"response","status":"completed","model":"gpt-6.2-sol","error":null,'
        b'"incomplete_details":null,"output":[{"id":"rs_1","type":"reasoning","summary":[]}],'
        b'"usage":{"input_tokens":12,"output_tokens":20,"total_tokens":32}}',
    ),
    "blocked": _json(
        200,
        b'{"id":"resp_1","object":"response","status":"incomplete","model":"gpt-6.2-sol","error":null,'
        b'"incomplete_details":{"reason":"content_filter"},"output":[],'
        b'"usage":{"input_tokens":12,"output_tokens":0,"total_tokens":12}}',
    ),
}

# anthropic-messages.md, sections 3 and 5
ANTHROPIC = {
    "ok": _json(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5",'
        b'"content":[{"type":"thinking","thinking":"","signature":"EqQB..."},'
        b'{"type":"text","text":"The container was killed: out of memory.","citations":null}],'
        b'"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,'
        b'"usage":{"input_tokens":8,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},'
        b'"output_tokens":30,"output_tokens_details":{"thinking_tokens":20},"service_tier":"standard"}}',
        request_id="req_lab_2",
    ),
    "empty": _json(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[],'
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":2}}',
    ),
    "blocked": _json(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[],'
        b'"stop_reason":"refusal","stop_sequence":null,'
        b'"stop_details":{"type":"refusal","category":"general_harms","explanation":"..."},'
        b'"usage":{"input_tokens":12,"output_tokens":0}}',
    ),
    "unauthorized": _json(
        401,
        b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key","details":null},'
        b'"request_id":"req_1"}',
    ),
    "not_found_model": _json(
        404,
        b'{"type":"error","error":{"type":"not_found_error","message":"model: claude-x","details":null},'
        b'"request_id":"req_1"}',
    ),
    "rate_limited": _json(
        429,
        b'{"type":"error","error":{"type":"rate_limit_error","message":"...","details":null},"request_id":"req_1"}',
        retry_after="2",
    ),
    "quota": _json(
        429,
        b'{"type":"error","error":{"type":"rate_limit_error","message":"...",'
        b'"details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_1"}',
    ),
    "overloaded": _json(
        529,
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","details":null},'
        b'"request_id":"req_1"}',
    ),
    "server_error": _json(
        500, b'{"type":"error","error":{"type":"api_error","message":"...","details":null},"request_id":"req_1"}'
    ),
    "context_too_long": _json(
        400,
        b'{"type":"error","error":{"type":"invalid_request_error",'
        b'"message":"prompt is too long: 1050081 tokens > 1000000 maximum","details":null},"request_id":"req_1"}',
    ),
    "models": _json(
        200,
        b'{"data":[{"type":"model","id":"claude-sonnet-5-5","display_name":"...","created_at":"...",'
        b'"lifecycle":"active","max_input_tokens":1000000,"max_tokens":128000,"capabilities":{}}],'
        b'"has_more":true,"first_id":"claude-sonnet-5-5","last_id":"claude-sonnet-5-5"}',
    ),
}

# gemini-generate-content.md, sections 3, 5 and 6
GEMINI = {
    "ok": _json(
        200,
        b'{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Thinking summary","thought":true},'
        b'{"text":"The container was killed: out of memory.","thoughtSignature":"CrEB..."}]},'
        b'"finishReason":"STOP","safetyRatings":[]}],'
        b'"usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":4,"candidatesTokenCount":10,'
        b'"thoughtsTokenCount":20,"totalTokenCount":42,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]},'
        b'"modelVersion":"gemini-3.8-flash","responseId":"abc"}',
    ),
    "empty": _json(
        200,
        b'{"candidates":[{"index":0,"content":{"role":"model"},"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"gemini-3.8-flash"}',
    ),
    "blocked": _json(
        200,
        b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","safetyRatings":[]},'
        b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"gemini-3.8-flash"}',
    ),
    "unauthorized": _json(
        400,
        b'{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":['
        b'{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}',
    ),
    "not_found_model": _json(404, b'{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}'),
    "rate_limited": _json(
        429,
        b'{"error":{"code":429,"message":"You exceeded your current quota...","status":"RESOURCE_EXHAUSTED","details":['
        b'{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m",'
        b'"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},'
        b'{"@type":"type.googleapis.com/google.rpc.Help","links":[]},'
        b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31s"}]}}',
    ),
    "quota": _json(
        429,
        b'{"error":{"code":429,"message":"You exceeded your current quota...","status":"RESOURCE_EXHAUSTED","details":['
        b'{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m",'
        b'"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"50"}]}]}}',
    ),
    "overloaded": _json(503, b'{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'),
    "server_error": _json(500, b'{"error":{"code":500,"message":"...","status":"INTERNAL"}}'),
    "models": _json(
        200,
        b'{"models":[{"name":"models/gemini-3.8-flash","displayName":"...","inputTokenLimit":1048576,'
        b'"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent"],"thinking":true}]}',
    ),
}

# cohere-v2-chat.md, sections 3, 5 and 6
COHERE = {
    "ok": _json(
        200,
        b'{"id":"c1-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":['
        b'{"type":"thinking","thinking":"..."},{"type":"text","text":"The container was killed: out of memory."}],'
        b'"tool_plan":null,"tool_calls":null,"citations":null},'
        b'"usage":{"billed_units":{"input_tokens":5,"output_tokens":20},'
        b'"tokens":{"input_tokens":12,"output_tokens":30},"cached_tokens":4}}',
    ),
    "empty": _json(
        200,
        b'{"id":"c1-1","finish_reason":"COMPLETE","message":{"role":"assistant"},'
        b'"usage":{"tokens":{"input_tokens":12,"output_tokens":0}}}',
    ),
    "unauthorized": _json(401, b'{"message":"invalid api token"}'),
    "not_found_model": _json(404, b'{"message":"model \'x\' not found"}'),
    "rate_limited": _json(429, b'{"message":"too many requests"}', retry_after="2"),
    "quota": _json(429, b'{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}'),
    "overloaded": _json(503, b'{"message":"service unavailable"}'),
    "server_error": _json(500, b'{"message":"internal server error"}'),
    "context_too_long": _json(400, b'{"message":"too many tokens: size limit exceeded"}'),
    "models": _json(
        200,
        b'{"models":[{"name":"command-a-plus-05-2026","endpoints":["chat"],"context_length":128000,'
        b'"features":["tools"],"is_deprecated":false}],"next_page_token":""}',
    ),
}

# ollama-native.md, sections 3, 5 and 6
OLLAMA = {
    "ok": _json(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant",'
        b'"content":"The container was killed: out of memory.","thinking":"..."},"done":true,"done_reason":"stop",'
        b'"total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":12,'
        b'"prompt_eval_duration":383809000,"eval_count":30,"eval_duration":4799921000}',
    ),
    "empty": _json(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant","content":""},'
        b'"done":true,"done_reason":"stop","prompt_eval_count":12}',
    ),
    "unauthorized": _json(401, b'{"error":"unauthorized","signin_url":"https://elsewhere.invalid"}'),
    "not_found_model": _json(404, b'{"error":"model \\"x\\" not found, try pulling it first"}'),
    "rate_limited": _json(429, b'{"error":"too many requests"}', retry_after="2"),
    "overloaded": _json(503, b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'),
    "server_error": _json(500, b'{"error":"llama runner process has terminated"}'),
    "models": _json(
        200,
        b'{"models":[{"name":"qwen3:latest","model":"qwen3:latest","modified_at":"...","size":1,"digest":"...",'
        b'"details":{"family":"qwen3","parameter_size":"8B","quantization_level":"Q4_K_M"}}]}',
    ),
}

# llamacpp-completion.md, sections 3, 5 and 6
LLAMACPP = {
    "ok": _json(
        200,
        b'{"index":0,"content":"The container was killed: out of memory.","tokens":[],"stop":true,"id_slot":0,'
        b'"model":"m.gguf","tokens_predicted":30,"tokens_evaluated":12,"tokens_cached":41,"truncated":false,'
        b'"stop_type":"eos","stopping_word":"","prompt":"Say hi:","generation_settings":{"n_ctx":8192},'
        b'"timings":{"cache_n":0,"prompt_n":12,"prompt_ms":10.1,"predicted_n":30,"predicted_ms":20.2}}',
    ),
    "empty": _json(
        200,
        b'{"index":0,"content":"","tokens":[],"stop":true,"id_slot":0,"model":"m.gguf","tokens_predicted":0,'
        b'"tokens_evaluated":12,"truncated":false,"stop_type":"eos","stopping_word":""}',
    ),
    "unauthorized": _json(401, b'{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}'),
    "overloaded": _json(503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'),
    "server_error": _json(500, b'{"error":{"code":500,"message":"...","type":"server_error"}}'),
    "context_too_long": _json(
        400,
        b'{"error":{"code":400,"message":"the request exceeds the available context size",'
        b'"type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}',
    ),
    "models": _json(
        200,
        b'{"object":"list","data":[{"id":"m.gguf","object":"model","owned_by":"llamacpp",'
        b'"meta":{"n_ctx_train":131072,"n_params":1,"size":1}}]}',
    ),
}

# huggingface.md, section 4
TGI = {
    "ok": _json(
        200,
        b'{"generated_text":"The container was killed: out of memory.","details":{"finish_reason":"eos_token",'
        b'"generated_tokens":30,"seed":null,"prefill":[],"tokens":[]}}',
    ),
    "empty": _json(
        200,
        b'{"generated_text":"","details":{"finish_reason":"eos_token","generated_tokens":0,"seed":null,'
        b'"prefill":[],"tokens":[]}}',
    ),
    "unauthorized": LabReply(401, b"", {}),
    "overloaded": _json(429, b'{"error":"Model is overloaded","error_type":"overloaded"}'),
    "rate_limited": _json(429, b'{"error":"Model is overloaded","error_type":"overloaded"}', retry_after="2"),
    "server_error": _json(500, b'{"error":"Incomplete generation","error_type":"incomplete_generation"}'),
    "models": _json(200, b'{"model_id":"openai/gpt-oss-20b","max_total_tokens":4096,"max_input_tokens":4095}'),
}

REPLIES: dict[str, dict[str, LabReply]] = {
    "openai-chat": OPENAI_CHAT,
    "openai-responses": OPENAI_RESPONSES,
    "anthropic-messages": ANTHROPIC,
    "gemini-generate-content": GEMINI,
    "cohere-v2-chat": COHERE,
    "ollama-native": OLLAMA,
    "llamacpp-completion": LLAMACPP,
    "tgi-generate": TGI,
}
