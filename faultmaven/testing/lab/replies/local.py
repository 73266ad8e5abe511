"""Replies of Ollama, llama.cpp and TGI on their native routes.

Literal bytes from the wire reference, checked on 2026-11-23, each under its heading. `..._UNDOCUMENTED` holds replies
that the vendor does not document, in a shape that it does.
"""

from ..reply import LabReply, json_reply

# ollama-native.md, sections 3, 5 and 6
OLLAMA = {
    "ok": json_reply(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant",'
        b'"content":"The container was killed: out of memory.","thinking":"..."},"done":true,"done_reason":"stop",'
        b'"total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":12,'
        b'"prompt_eval_duration":383809000,"eval_count":30,"eval_duration":4799921000}',
    ),
    "empty": json_reply(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant","content":""},'
        b'"done":true,"done_reason":"stop","prompt_eval_count":12}',
    ),
    "unauthorized": json_reply(401, b'{"error":"unauthorized","signin_url":"https://elsewhere.invalid"}'),
    "not_found_model": json_reply(404, b'{"error":"model \\"x\\" not found, try pulling it first"}'),
    "rate_limited": json_reply(429, b'{"error":"too many requests"}', retry_after="2"),
    "overloaded": json_reply(503, b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'),
    "server_error": json_reply(500, b'{"error":"llama runner process has terminated"}'),
    "bad_request": json_reply(400, b'{"error":"\\"qwen3\\" does not support thinking"}'),
    "unavailable": json_reply(503, b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'),
    "models": json_reply(
        200,
        b'{"models":[{"name":"qwen3:latest","model":"qwen3:latest","modified_at":"...","size":1,"digest":"...",'
        b'"details":{"family":"qwen3","parameter_size":"8B","quantization_level":"Q4_K_M"}}]}',
    ),
}

# llamacpp-completion.md, sections 3, 5 and 6
LLAMACPP = {
    "ok": json_reply(
        200,
        b'{"index":0,"content":"The container was killed: out of memory.","tokens":[],"stop":true,"id_slot":0,'
        b'"model":"m.gguf","tokens_predicted":30,"tokens_evaluated":12,"tokens_cached":41,"truncated":false,'
        b'"stop_type":"eos","stopping_word":"","prompt":"Say hi:","generation_settings":{"n_ctx":8192},'
        b'"timings":{"cache_n":0,"prompt_n":12,"prompt_ms":10.1,"predicted_n":30,"predicted_ms":20.2}}',
    ),
    "empty": json_reply(
        200,
        b'{"index":0,"content":"","tokens":[],"stop":true,"id_slot":0,"model":"m.gguf","tokens_predicted":0,'
        b'"tokens_evaluated":12,"truncated":false,"stop_type":"eos","stopping_word":""}',
    ),
    "unauthorized": json_reply(
        401, b'{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}'
    ),
    "overloaded": json_reply(503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'),
    "server_error": json_reply(500, b'{"error":{"code":500,"message":"...","type":"server_error"}}'),
    "context_too_long": json_reply(
        400,
        b'{"error":{"code":400,"message":"the request exceeds the available context size",'
        b'"type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}',
    ),
    "not_found_route": json_reply(404, b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'),
    "bad_request": json_reply(400, b'{"error":{"code":400,"message":"...","type":"invalid_request_error"}}'),
    "forbidden": json_reply(403, b'{"error":{"code":403,"message":"...","type":"permission_error"}}'),
    "unavailable": json_reply(503, b'{"error":{"code":503,"message":"...","type":"unavailable_error"}}'),
    "models": json_reply(
        200,
        b'{"object":"list","data":[{"id":"m.gguf","object":"model","owned_by":"llamacpp",'
        b'"meta":{"n_ctx_train":131072,"n_params":1,"size":1}}]}',
    ),
}

# huggingface.md, section 4
TGI = {
    "ok": json_reply(
        200,
        b'{"generated_text":"The container was killed: out of memory.","details":{"finish_reason":"eos_token",'
        b'"generated_tokens":30,"seed":null,"prefill":[],"tokens":[]}}',
    ),
    "empty": json_reply(
        200,
        b'{"generated_text":"","details":{"finish_reason":"eos_token","generated_tokens":0,"seed":null,'
        b'"prefill":[],"tokens":[]}}',
    ),
    "unauthorized": LabReply(401, b"", {}),
    "overloaded": json_reply(429, b'{"error":"Model is overloaded","error_type":"overloaded"}'),
    "rate_limited": json_reply(429, b'{"error":"Model is overloaded","error_type":"overloaded"}', retry_after="2"),
    "server_error": json_reply(500, b'{"error":"Incomplete generation","error_type":"incomplete_generation"}'),
    "models": json_reply(200, b'{"model_id":"openai/gpt-oss-20b","max_total_tokens":4096,"max_input_tokens":4095}'),
}


# A missing message, text or generation is the closest form of "no choice". None of the three servers has a content
# filter: a model refuses in text. None of the three bills: an error with a code field has OpenAI's code for "quota";
# Ollama's error is a string, so only the status shows the quota.
OLLAMA_UNDOCUMENTED = {
    "empty_choices": json_reply(200, b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","done":true}'),
    "null_content": json_reply(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant","content":null},'
        b'"done":true,"done_reason":"stop","prompt_eval_count":12}',
    ),
    # Section 4 documents it as a line of a stream.
    "error_in_200": json_reply(200, b'{"error":"llama runner process has terminated"}'),
    "blocked": json_reply(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant",'
        b'"content":"I cannot help with that."},"done":true,"done_reason":"stop","prompt_eval_count":12,'
        b'"eval_count":7}',
    ),
    "context_too_long": json_reply(413, b'{"error":"error 413"}'),
    "quota": json_reply(402, b'{"error":"error 402"}'),
}
LLAMACPP_UNDOCUMENTED = {
    "empty_choices": json_reply(
        200,
        b'{"index":0,"tokens":[],"stop":true,"id_slot":0,"model":"m.gguf","tokens_predicted":0,"tokens_evaluated":12,'
        b'"truncated":false,"stop_type":"eos","stopping_word":""}',
    ),
    "null_content": json_reply(
        200,
        b'{"index":0,"content":null,"tokens":[],"stop":true,"id_slot":0,"model":"m.gguf","tokens_predicted":0,'
        b'"tokens_evaluated":12,"truncated":false,"stop_type":"eos","stopping_word":""}',
    ),
    "error_in_200": json_reply(200, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'),
    "blocked": json_reply(
        200,
        b'{"index":0,"content":"I cannot help with that.","tokens":[],"stop":true,"id_slot":0,"model":"m.gguf",'
        b'"tokens_predicted":7,"tokens_evaluated":12,"truncated":false,"stop_type":"eos","stopping_word":""}',
    ),
    "not_found_model": json_reply(404, b'{"error":{"code":404,"message":"model not found","type":"not_found_error"}}'),
    "quota": json_reply(429, b'{"error":{"code":429,"message":"...","type":"insufficient_quota"}}'),
}
TGI_UNDOCUMENTED = {
    "empty_choices": json_reply(200, b"[]"),
    "null_content": json_reply(
        200,
        b'{"generated_text":null,"details":{"finish_reason":"eos_token","generated_tokens":0,"seed":null,'
        b'"prefill":[],"tokens":[]}}',
    ),
    "error_in_200": json_reply(200, b'{"error":"Incomplete generation","error_type":"incomplete_generation"}'),
    "blocked": json_reply(
        200,
        b'{"generated_text":"I cannot help with that.","details":{"finish_reason":"eos_token","generated_tokens":7,'
        b'"seed":null,"prefill":[],"tokens":[]}}',
    ),
    "context_too_long": json_reply(413, b'{"error":"error 413","error_type":"validation"}'),
    "not_found_model": json_reply(404, b'{"error":"model not found","error_type":"validation"}'),
    "quota": json_reply(429, b'{"error":"error 429","error_type":"insufficient_quota"}'),
}

_LLAMACPP_TYPES = {400: b"invalid_request_error", 403: b"permission_error", 503: b"unavailable_error"}


def ollama_error(status: int) -> bytes:
    """Return the error body of Ollama, whose error is a string."""
    return b'{"error":"error %d"}' % status


def llamacpp_error(status: int) -> bytes:
    """Return the error envelope of llama.cpp for a status without a type in section 5."""
    kind = _LLAMACPP_TYPES.get(status, b"server_error" if status >= 500 else b"invalid_request_error")
    return b'{"error":{"code":%d,"message":"...","type":"%s"}}' % (status, kind)


def tgi_error(status: int) -> bytes:
    """Return the error body of TGI for a status without a type in section 4."""
    kind = b"incomplete_generation" if status >= 500 else b"validation"
    return b'{"error":"error %d","error_type":"%s"}' % (status, kind)
