"""Replies of Anthropic, Gemini and Cohere.

Literal bytes from the wire reference, checked on 2026-11-23, each under its heading. `..._UNDOCUMENTED` holds replies
that the vendor does not document, in a shape that it does.
"""

from ..reply import json_reply

# anthropic-messages.md, sections 3 and 5
ANTHROPIC = {
    "ok": json_reply(
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
    "empty": json_reply(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[],'
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":2}}',
    ),
    "blocked": json_reply(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":[],'
        b'"stop_reason":"refusal","stop_sequence":null,'
        b'"stop_details":{"type":"refusal","category":"general_harms","explanation":"..."},'
        b'"usage":{"input_tokens":12,"output_tokens":0}}',
    ),
    "unauthorized": json_reply(
        401,
        b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key","details":null},'
        b'"request_id":"req_1"}',
    ),
    "not_found_model": json_reply(
        404,
        b'{"type":"error","error":{"type":"not_found_error","message":"model: claude-x","details":null},'
        b'"request_id":"req_1"}',
    ),
    "rate_limited": json_reply(
        429,
        b'{"type":"error","error":{"type":"rate_limit_error","message":"...","details":null},"request_id":"req_1"}',
        retry_after="2",
    ),
    "quota": json_reply(
        429,
        b'{"type":"error","error":{"type":"rate_limit_error","message":"...",'
        b'"details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_1"}',
    ),
    "overloaded": json_reply(
        529,
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","details":null},'
        b'"request_id":"req_1"}',
    ),
    "server_error": json_reply(
        500, b'{"type":"error","error":{"type":"api_error","message":"...","details":null},"request_id":"req_1"}'
    ),
    "context_too_long": json_reply(
        400,
        b'{"type":"error","error":{"type":"invalid_request_error",'
        b'"message":"prompt is too long: 1050081 tokens > 1000000 maximum","details":null},"request_id":"req_1"}',
    ),
    "bad_request": json_reply(
        400,
        b'{"type":"error","error":{"type":"invalid_request_error","message":"...","details":null},"request_id":"req_1"}',
    ),
    "forbidden": json_reply(
        403, b'{"type":"error","error":{"type":"permission_error","message":"...","details":null},"request_id":"req_1"}'
    ),
    "too_large": json_reply(
        413,
        b'{"type":"error","error":{"type":"request_too_large","message":"...","details":null},"request_id":"req_1"}',
    ),
    "gateway_timeout": json_reply(
        504, b'{"type":"error","error":{"type":"timeout_error","message":"...","details":null},"request_id":"req_1"}'
    ),
    "overloaded_529": json_reply(
        529,
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","details":null},'
        b'"request_id":"req_1"}',
    ),
    "models": json_reply(
        200,
        b'{"data":[{"type":"model","id":"claude-sonnet-5-5","display_name":"...","created_at":"...",'
        b'"lifecycle":"active","max_input_tokens":1000000,"max_tokens":128000,"capabilities":{}}],'
        b'"has_more":true,"first_id":"claude-sonnet-5-5","last_id":"claude-sonnet-5-5"}',
    ),
}

# gemini-generate-content.md, sections 3, 5 and 6
_GEMINI_BUSY = json_reply(
    429,
    b'{"error":{"code":429,"message":"You exceeded your current quota...","status":"RESOURCE_EXHAUSTED","details":['
    b'{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m",'
    b'"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},'
    b'{"@type":"type.googleapis.com/google.rpc.Help","links":[]},'
    b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31s"}]}}',
)
GEMINI = {
    "ok": json_reply(
        200,
        b'{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Thinking summary","thought":true},'
        b'{"text":"The container was killed: out of memory.","thoughtSignature":"CrEB..."}]},'
        b'"finishReason":"STOP","safetyRatings":[]}],'
        b'"usageMetadata":{"promptTokenCount":12,"cachedContentTokenCount":4,"candidatesTokenCount":10,'
        b'"thoughtsTokenCount":20,"totalTokenCount":42,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]},'
        b'"modelVersion":"gemini-3.8-flash","responseId":"abc"}',
    ),
    "empty": json_reply(
        200,
        b'{"candidates":[{"index":0,"content":{"role":"model"},"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"gemini-3.8-flash"}',
    ),
    "blocked": json_reply(
        200,
        b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","safetyRatings":[]},'
        b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"gemini-3.8-flash"}',
    ),
    "unauthorized": json_reply(
        400,
        b'{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":['
        b'{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}',
    ),
    "not_found_model": json_reply(
        404, b'{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}'
    ),
    "rate_limited": _GEMINI_BUSY,
    "rate_limited_info": _GEMINI_BUSY,
    "quota": json_reply(
        429,
        b'{"error":{"code":429,"message":"You exceeded your current quota...","status":"RESOURCE_EXHAUSTED","details":['
        b'{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m",'
        b'"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"50"}]}]}}',
    ),
    "overloaded": json_reply(
        503, b'{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'
    ),
    "server_error": json_reply(500, b'{"error":{"code":500,"message":"...","status":"INTERNAL"}}'),
    "rate_limited_no_hint": json_reply(
        429,
        b'{"error":{"code":429,"message":"You exceeded your current quota...","status":"RESOURCE_EXHAUSTED","details":['
        b'{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m",'
        b'"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]}]}}',
    ),
    "bad_request": json_reply(400, b'{"error":{"code":400,"message":"...","status":"INVALID_ARGUMENT"}}'),
    "forbidden": json_reply(403, b'{"error":{"code":403,"message":"...","status":"PERMISSION_DENIED"}}'),
    "unavailable": json_reply(503, b'{"error":{"code":503,"message":"...","status":"UNAVAILABLE"}}'),
    "gateway_timeout": json_reply(504, b'{"error":{"code":504,"message":"...","status":"DEADLINE_EXCEEDED"}}'),
    "models": json_reply(
        200,
        b'{"models":[{"name":"models/gemini-3.8-flash","displayName":"...","inputTokenLimit":1048576,'
        b'"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent"],"thinking":true}]}',
    ),
}

# cohere-v2-chat.md, sections 3, 5 and 6
COHERE = {
    "ok": json_reply(
        200,
        b'{"id":"c1-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":['
        b'{"type":"thinking","thinking":"..."},{"type":"text","text":"The container was killed: out of memory."}],'
        b'"tool_plan":null,"tool_calls":null,"citations":null},'
        b'"usage":{"billed_units":{"input_tokens":5,"output_tokens":20},'
        b'"tokens":{"input_tokens":12,"output_tokens":30},"cached_tokens":4}}',
    ),
    "empty": json_reply(
        200,
        b'{"id":"c1-1","finish_reason":"COMPLETE","message":{"role":"assistant"},'
        b'"usage":{"tokens":{"input_tokens":12,"output_tokens":0}}}',
    ),
    "unauthorized": json_reply(401, b'{"message":"invalid api token"}'),
    "not_found_model": json_reply(404, b'{"message":"model \'x\' not found"}'),
    "rate_limited": json_reply(429, b'{"message":"too many requests"}', retry_after="2"),
    "quota": json_reply(429, b'{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}'),
    "overloaded": json_reply(503, b'{"message":"service unavailable"}'),
    "server_error": json_reply(500, b'{"message":"internal server error"}'),
    "context_too_long": json_reply(400, b'{"message":"too many tokens: size limit exceeded"}'),
    "blocked": json_reply(498, b'{"message":"blocked as unsafe (usage guidelines)"}'),
    "error_in_200": json_reply(
        200,
        b'{"id":"c1-1","finish_reason":"ERROR","message":{"role":"assistant"},"usage":{"tokens":{"input_tokens":12}}}',
    ),
    "bad_request": json_reply(400, b'{"message":"..."}'),
    "forbidden": json_reply(403, b'{"message":"..."}'),
    "too_large": json_reply(413, b'{"message":"..."}'),
    "bad_gateway": json_reply(502, b'{"message":"..."}'),
    "unavailable": json_reply(503, b'{"message":"..."}'),
    "gateway_timeout": json_reply(504, b'{"message":"..."}'),
    "models": json_reply(
        200,
        b'{"models":[{"name":"command-a-plus-05-2026","endpoints":["chat"],"context_length":128000,'
        b'"features":["tools"],"is_deprecated":false}],"next_page_token":""}',
    ),
}


# The closest forms: an empty list of blocks or candidates for "no choice", a block with null text for "null content".
ANTHROPIC_UNDOCUMENTED = {
    "empty_choices": ANTHROPIC["empty"],
    "null_content": json_reply(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5",'
        b'"content":[{"type":"text","text":null}],"stop_reason":"end_turn","stop_sequence":null,'
        b'"usage":{"input_tokens":12,"output_tokens":0}}',
    ),
    # Section 4 documents this error inside a stream.
    "error_in_200": json_reply(
        200, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'
    ),
}
GEMINI_UNDOCUMENTED = {
    "empty_choices": json_reply(
        200,
        b'{"candidates":[],"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},'
        b'"modelVersion":"gemini-3.8-flash"}',
    ),
    "null_content": json_reply(
        200,
        b'{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":null}]},"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12},"modelVersion":"gemini-3.8-flash"}',
    ),
    # Section 4 documents this error inside a stream.
    "error_in_200": json_reply(200, b'{"error":{"code":503,"message":"...","status":"UNAVAILABLE"}}'),
    # Gemini documents no text for a prompt that is too long.
    "context_too_long": json_reply(413, b'{"error":{"code":413,"message":"...","status":"INVALID_ARGUMENT"}}'),
}
COHERE_UNDOCUMENTED = {
    "empty_choices": json_reply(
        200,
        b'{"id":"c1-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[]},'
        b'"usage":{"tokens":{"input_tokens":12,"output_tokens":0}}}',
    ),
    "null_content": json_reply(
        200,
        b'{"id":"c1-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":null},'
        b'"usage":{"tokens":{"input_tokens":12,"output_tokens":0}}}',
    ),
}

_ANTHROPIC_TYPES = {400: b"invalid_request_error", 429: b"rate_limit_error", 529: b"overloaded_error"}
_GEMINI_STATUSES = {400: b"INVALID_ARGUMENT", 413: b"INVALID_ARGUMENT", 429: b"RESOURCE_EXHAUSTED", 500: b"INTERNAL"}


def anthropic_error(status: int) -> bytes:
    """Return the error envelope of Anthropic for a status without a type in section 5."""
    kind = _ANTHROPIC_TYPES.get(status, b"api_error" if status >= 500 else b"invalid_request_error")
    return b'{"type":"error","error":{"type":"%s","message":"...","details":null},"request_id":"req_1"}' % kind


def gemini_error(status: int) -> bytes:
    """Return the error envelope of Gemini for a status without a name in section 5."""
    name = _GEMINI_STATUSES.get(status, b"UNAVAILABLE")
    return b'{"error":{"code":%d,"message":"...","status":"%s"}}' % (status, name)


def cohere_error(status: int) -> bytes:
    """Return the flat error body of Cohere."""
    return b'{"message":"error %d"}' % status
