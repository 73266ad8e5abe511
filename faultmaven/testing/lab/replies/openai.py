"""Replies of OpenAI Chat and OpenAI Responses.

Literal bytes from the wire reference, checked on 2026-11-23, each under its heading. `..._UNDOCUMENTED` holds replies
that the vendor does not document, in a shape that it does.
"""

from ..reply import json_reply

# openai-chat.md, sections 5 and 6: shared by both routes
_SHARED = {
    "unauthorized": json_reply(
        401,
        b'{"error":{"message":"Incorrect API key provided.","type":"invalid_request_error","param":null,'
        b'"code":"invalid_api_key"}}',
        x_request_id="req_lab_401",
    ),
    "not_found_model": json_reply(
        404,
        b'{"error":{"message":"The model does not exist or you do not have access to it.",'
        b'"type":"invalid_request_error","param":"model","code":"model_not_found"}}',
    ),
    "rate_limited": json_reply(
        429,
        b'{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}',
        retry_after="2",
    ),
    "quota": json_reply(
        429,
        b'{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,'
        b'"code":"insufficient_quota"}}',
    ),
    "overloaded": json_reply(
        503,
        b'{"error":{"message":"The server is overloaded","type":"service_unavailable_error","param":null,'
        b'"code":"server_is_overloaded"}}',
    ),
    "server_error": json_reply(
        500, b'{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}'
    ),
    "context_too_long": json_reply(
        400,
        b'{"error":{"message":"Your input exceeds the context window of this model.",'
        b'"type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
    ),
    "bad_request": json_reply(
        400,
        b'{"error":{"message":"...","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}',
    ),
    "bad_gateway": json_reply(502, b'{"error":{"message":"...","type":"server_error","param":null,"code":null}}'),
    "unavailable": json_reply(
        503,
        b'{"error":{"message":"...","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}',
    ),
    "gateway_timeout": json_reply(504, b'{"error":{"message":"...","type":"server_error","param":null,"code":null}}'),
    "models": json_reply(
        200,
        b'{"object":"list","data":[{"id":"gpt-6.2-sol","object":"model","created":1,"owned_by":"openai"},'
        b'{"id":"openai/gpt-oss-120b","object":"model","created":1,"owned_by":"openai"}]}',
    ),
}

# openai-chat.md, section 3
OPENAI_CHAT = _SHARED | {
    "ok": json_reply(
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
    "empty": json_reply(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"","refusal":null},'
        b'"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}',
    ),
    "blocked": json_reply(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}',
    ),
    "null_content": json_reply(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null},'
        b'"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}',
    ),
    # 9.4, OpenRouter
    "error_in_200": json_reply(200, b'{"error":{"code":502,"message":"...","metadata":{}}}'),
}

# openai-responses.md, section 3
OPENAI_RESPONSES = _SHARED | {
    "ok": json_reply(
        200,
        b'{"id":"resp_1","object":"response","created_at":1795000000,"status":"completed","model":"gpt-6.2-sol",'
        b'"error":null,"incomplete_details":null,"output":['
        b'{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"..."},'
        b'{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text",'
        b'"text":"The container was killed: out of memory.","annotations":[]}]}],'
        b'"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},'
        b'"output_tokens":30,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":42}}',
    ),
    "empty": json_reply(
        200,
        b'{"id":"resp_1","object":"response","status":"completed","model":"gpt-6.2-sol","error":null,'
        b'"incomplete_details":null,"output":[{"id":"rs_1","type":"reasoning","summary":[]}],'
        b'"usage":{"input_tokens":12,"output_tokens":20,"total_tokens":32}}',
    ),
    "blocked": json_reply(
        200,
        b'{"id":"resp_1","object":"response","status":"incomplete","model":"gpt-6.2-sol","error":null,'
        b'"incomplete_details":{"reason":"content_filter"},"output":[],'
        b'"usage":{"input_tokens":12,"output_tokens":0,"total_tokens":12}}',
    ),
    "error_in_200": json_reply(
        200,
        b'{"id":"resp_1","object":"response","status":"failed","model":"gpt-6.2-sol",'
        b'"error":{"code":"server_error","message":"..."},"incomplete_details":null,"output":[]}',
    ),
}


OPENAI_CHAT_UNDOCUMENTED = {
    "empty_choices": json_reply(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol","choices":[],'
        b'"usage":{"prompt_tokens":12,"completion_tokens":0,"total_tokens":12}}',
    ),
}
OPENAI_RESPONSES_UNDOCUMENTED = {
    # An empty list of items is the closest form.
    "empty_choices": json_reply(
        200,
        b'{"id":"resp_1","object":"response","status":"completed","model":"gpt-6.2-sol","error":null,'
        b'"incomplete_details":null,"output":[],"usage":{"input_tokens":12,"output_tokens":0,"total_tokens":12}}',
    ),
    "null_content": json_reply(
        200,
        b'{"id":"resp_1","object":"response","status":"completed","model":"gpt-6.2-sol","error":null,'
        b'"incomplete_details":null,"output":[{"id":"msg_1","type":"message","role":"assistant","status":"completed",'
        b'"content":[{"type":"output_text","text":null,"annotations":[]}]}],'
        b'"usage":{"input_tokens":12,"output_tokens":0,"total_tokens":12}}',
    ),
}


def openai_error(status: int) -> bytes:
    """Return the error envelope of OpenAI for a status without a code in section 5."""
    kind = b"server_error" if status >= 500 else b"invalid_request_error"
    return b'{"error":{"message":"...","type":"%s","param":null,"code":null}}' % kind
