"""Answers that call two tools, with all fields that their vendors expect back.

Literal bytes from the wire reference, checked on 2026-11-23, each under its heading.
"""

from collections.abc import Mapping

from ..reply import LabReply, json_reply

TOOL_CALLS: Mapping[str, LabReply] = {
    # openai-chat.md, sections 2 (5) and 3
    "openai-chat": json_reply(
        200,
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1795000000,"model":"gpt-6.2-sol",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":['
        b'{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\\"city\\":\\"Oslo\\"}"}},'
        b'{"id":"call_2","type":"function","function":{"name":"get_weather","arguments":"{\\"city\\":\\"Rome\\"}"}}]},'
        b'"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42}}',
    ),
    # openai-responses.md, section 3
    "openai-responses": json_reply(
        200,
        b'{"id":"resp_1","object":"response","created_at":1795000000,"status":"completed","model":"gpt-6.2-sol",'
        b'"error":null,"incomplete_details":null,"output":['
        b'{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"ENC1"},'
        b'{"type":"function_call","id":"fc_1","call_id":"call_1","name":"get_weather",'
        b'"arguments":"{\\"city\\":\\"Oslo\\"}","status":"completed"},'
        b'{"type":"function_call","id":"fc_2","call_id":"call_2","name":"get_weather",'
        b'"arguments":"{\\"city\\":\\"Rome\\"}","status":"completed"}],'
        b'"usage":{"input_tokens":12,"output_tokens":30,"total_tokens":42}}',
    ),
    # anthropic-messages.md, sections 2 (5) and 3
    "anthropic-messages": json_reply(
        200,
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5","content":['
        b'{"type":"thinking","thinking":"","signature":"EqQB1"},'
        b'{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"Oslo"}},'
        b'{"type":"tool_use","id":"toolu_2","name":"get_weather","input":{"city":"Rome"}}],'
        b'"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":30}}',
    ),
    # gemini-generate-content.md, sections 2 (5) and 3: without the optional id
    "gemini-generate-content": json_reply(
        200,
        b'{"candidates":[{"index":0,"content":{"role":"model","parts":['
        b'{"functionCall":{"name":"get_weather","args":{"city":"Oslo"}},"thoughtSignature":"CrEB1"},'
        b'{"functionCall":{"name":"get_weather","args":{"city":"Rome"}}}]},"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":10,"thoughtsTokenCount":20,'
        b'"totalTokenCount":42},"modelVersion":"gemini-3.8-flash","responseId":"abc"}',
    ),
    # cohere-v2-chat.md, sections 2 (5) and 3
    "cohere-v2-chat": json_reply(
        200,
        b'{"id":"c1-1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will look it up.",'
        b'"tool_calls":[{"id":"get_weather_ab12","type":"function","function":{"name":"get_weather",'
        b'"arguments":"{\\"city\\":\\"Oslo\\"}"}},{"id":"get_weather_cd34","type":"function","function":'
        b'{"name":"get_weather","arguments":"{\\"city\\":\\"Rome\\"}"}}]},'
        b'"usage":{"tokens":{"input_tokens":12,"output_tokens":30}}}',
    ),
    # ollama-native.md, sections 2 (5) and 3: an older server sends no id
    "ollama-native": json_reply(
        200,
        b'{"model":"qwen3","created_at":"2026-11-23T10:00:00.1Z","message":{"role":"assistant","content":"",'
        b'"thinking":"Hm","tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Oslo"}}},'
        b'{"function":{"name":"get_weather","arguments":{"city":"Rome"}}}]},"done":true,"done_reason":"stop",'
        b'"prompt_eval_count":12,"eval_count":30}',
    ),
}
