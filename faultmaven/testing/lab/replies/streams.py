"""Streams of every vendor, event by event.

Literal bytes from the wire reference, checked on 2026-11-23, each under its heading; only the text of the answer is the
lab's own. A stream is a list of events, so that a fault can be inserted anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VendorStream:
    """The lab's answer as a stream of one dialect.

    Attributes:
        events: In order; the last one ends the stream.
        tools: The events with two tool calls in place of text, with the most unusual indexes known from the vendor.
        error: The vendor's error as an event.
        bad: An event cut in the middle of its JSON.
        ping: An event that keeps the connection alive.
        content_type: The content-type header of the vendor.
        needs_last: Whether only the last event completes the answer; otherwise the stop reason completes the answer.
    """

    events: tuple[bytes, ...]
    tools: tuple[bytes, ...]
    error: bytes
    bad: bytes
    ping: bytes = b": keep-alive\n\n"
    content_type: str = "text/event-stream"
    needs_last: bool = True


def _chat_event(delta: bytes, finish: bytes = b"null") -> bytes:
    return (
        b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-6.2-sol","choices":[{"index":0,'
        b'"delta":%s,"finish_reason":%s}],"usage":null}\n\n' % (delta, finish)
    )


def _named_event(name: bytes, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name, data)


# openai-chat.md, section 4
_CHAT_USAGE = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-6.2-sol","choices":[],"usage":'
    b'{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42}}\n\n'
)
OPENAI_CHAT = VendorStream(
    events=(
        _chat_event(b'{"role":"assistant","content":""}'),
        _chat_event(b'{"content":"The container "}'),
        _chat_event(b'{"content":"was killed: "}'),
        _chat_event(b'{"content":"out of memory."}'),
        _chat_event(b"{}", b'"stop"'),
        _CHAT_USAGE,
        b"data: [DONE]\n\n",
    ),
    # Two calls at the same index, distinguished by their ids.
    tools=(
        _chat_event(
            b'{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":'
            b'{"name":"get_weather","arguments":""}}]}'
        ),
        _chat_event(b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"city\\":"}}]}'),
        _chat_event(b'{"tool_calls":[{"index":0,"function":{"arguments":"\\"Oslo\\"}"}}]}'),
        _chat_event(
            b'{"tool_calls":[{"index":0,"id":"call_2","type":"function","function":'
            b'{"name":"get_weather","arguments":"{\\"city\\":"}}]}'
        ),
        _chat_event(b'{"tool_calls":[{"index":0,"function":{"arguments":"\\"Rome\\"}"}}]}'),
        _chat_event(b"{}", b'"tool_calls"'),
        b"data: [DONE]\n\n",
    ),
    error=b'data: {"error":{"message":"...","type":"server_error","code":null}}\n\n',
    bad=b'data: {"id":"c1","object":"chat.comple\n\n',
    ping=b": OPENROUTER PROCESSING\n\n",
    needs_last=False,
)

# openai-responses.md, section 4
_RESPONSES_BEGIN = _named_event(
    b"response.created",
    b'{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[]}}',
)


def _output_text_delta(text: bytes) -> bytes:
    return _named_event(
        b"response.output_text.delta",
        b'{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,'
        b'"content_index":0,"delta":"%s","logprobs":[]}' % text,
    )


def _function_call(index: int, city: bytes) -> tuple[bytes, ...]:
    item = (
        b'{"type":"function_call","id":"fc_%d","call_id":"call_%d","name":"get_weather","arguments":"%s","status":"%s"}'
    )
    arguments = b'{\\"city\\":\\"%s\\"}' % city
    return (
        _named_event(
            b"response.output_item.added",
            b'{"type":"response.output_item.added","sequence_number":5,"output_index":%d,"item":%s}'
            % (index, item % (index, index, b"", b"in_progress")),
        ),
        _named_event(
            b"response.function_call_arguments.delta",
            b'{"type":"response.function_call_arguments.delta","sequence_number":6,"item_id":"fc_%d","output_index":%d,'
            b'"delta":"%s"}' % (index, index, arguments),
        ),
        _named_event(
            b"response.output_item.done",
            b'{"type":"response.output_item.done","sequence_number":8,"output_index":%d,"item":%s}'
            % (index, item % (index, index, arguments, b"completed")),
        ),
    )


_RESPONSES_END = _named_event(
    b"response.completed",
    b'{"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","status":"completed","output":[],'
    b'"usage":{"input_tokens":12,"output_tokens":30,"total_tokens":42}}}',
)
OPENAI_RESPONSES = VendorStream(
    events=(
        _RESPONSES_BEGIN,
        _named_event(
            b"response.output_item.added",
            b'{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1",'
            b'"type":"message","role":"assistant","status":"in_progress","content":[]}}',
        ),
        _output_text_delta(b"The container "),
        _output_text_delta(b"was killed: "),
        _output_text_delta(b"out of memory."),
        _RESPONSES_END,
    ),
    tools=(_RESPONSES_BEGIN, *_function_call(1, b"Oslo"), *_function_call(2, b"Rome"), _RESPONSES_END),
    error=_named_event(
        b"error", b'{"type":"error","code":"server_error","message":"...","param":null,"sequence_number":3}'
    ),
    bad=b'event: response.output_text.delta\ndata: {"type":"response.output_te\n\n',
)

# anthropic-messages.md, section 4
_MESSAGE_START = _named_event(
    b"message_start",
    b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5-5",'
    b'"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,'
    b'"cache_read_input_tokens":0,"output_tokens":1}}}',
)


def _text_delta(text: bytes) -> bytes:
    return _named_event(
        b"content_block_delta",
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}' % text,
    )


def _tool_use(index: int, city: bytes) -> tuple[bytes, ...]:
    return (
        _named_event(
            b"content_block_start",
            b'{"type":"content_block_start","index":%d,"content_block":{"type":"tool_use","id":"toolu_%d",'
            b'"name":"get_weather","input":{}}}' % (index, index),
        ),
        _named_event(
            b"content_block_delta",
            b'{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta",'
            b'"partial_json":"{\\"city\\":"}}' % index,
        ),
        _named_event(
            b"content_block_delta",
            b'{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta",'
            b'"partial_json":"\\"%s\\"}"}}' % (index, city),
        ),
        _named_event(b"content_block_stop", b'{"type":"content_block_stop","index":%d}' % index),
    )


def _message_end(reason: bytes) -> tuple[bytes, bytes]:
    return (
        _named_event(
            b"message_delta",
            b'{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":null},"usage":{"output_tokens":30}}'
            % reason,
        ),
        _named_event(b"message_stop", b'{"type":"message_stop"}'),
    )


ANTHROPIC = VendorStream(
    events=(
        _MESSAGE_START,
        _named_event(
            b"content_block_start",
            b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        ),
        _named_event(b"ping", b'{"type":"ping"}'),
        _text_delta(b"The container "),
        _text_delta(b"was killed: "),
        _text_delta(b"out of memory."),
        _named_event(b"content_block_stop", b'{"type":"content_block_stop","index":0}'),
        *_message_end(b"end_turn"),
    ),
    tools=(_MESSAGE_START, *_tool_use(1, b"Oslo"), *_tool_use(2, b"Rome"), *_message_end(b"tool_use")),
    error=_named_event(b"error", b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'),
    bad=b'event: content_block_delta\ndata: {"type":"content_block_del\n\n',
    ping=_named_event(b"ping", b'{"type":"ping"}'),
)


# gemini-generate-content.md, section 4
def _gemini_event(parts: bytes, rest: bytes = b"") -> bytes:
    return (
        b'data: {"candidates":[{"content":{"role":"model","parts":[%s]}%s,"index":0}],"usageMetadata":'
        b'{"promptTokenCount":12,"candidatesTokenCount":10,"thoughtsTokenCount":20,"totalTokenCount":42},'
        b'"modelVersion":"gemini-3.8-flash","responseId":"abc"}\n\n' % (parts, rest)
    )


_WEATHER = b'{"functionCall":{"id":"%s","name":"get_weather","args":{"city":"%s"}}%s}'
GEMINI = VendorStream(
    events=(
        _gemini_event(b'{"text":"The container "}'),
        _gemini_event(b'{"text":"was killed: "}'),
        _gemini_event(b'{"text":"out of memory."}', b',"finishReason":"STOP"'),
    ),
    tools=(
        _gemini_event(_WEATHER % (b"c1", b"Oslo", b',"thoughtSignature":"CrEB..."')),
        _gemini_event(_WEATHER % (b"c2", b"Rome", b""), b',"finishReason":"STOP"'),
    ),
    error=b'[{"error":{"code":503,"message":"...","status":"UNAVAILABLE"}}]\n',
    bad=b'data: {"candidates":[{"content":{"role"\n\n',
)


# cohere-v2-chat.md, section 4
def _cohere_event(kind: bytes, rest: bytes) -> bytes:
    return _named_event(kind, b'{"type":"%s",%s}' % (kind, rest))


def _cohere_text(text: bytes) -> bytes:
    return _cohere_event(b"content-delta", b'"index":0,"delta":{"message":{"content":{"text":"%s"}}}' % text)


def _cohere_call(index: int, city: bytes) -> tuple[bytes, ...]:
    return (
        _cohere_event(
            b"tool-call-start",
            b'"index":%d,"delta":{"message":{"tool_calls":{"id":"get_weather_ab%d","type":"function","function":'
            b'{"name":"get_weather","arguments":""}}}}' % (index, index),
        ),
        _cohere_event(
            b"tool-call-delta",
            b'"index":%d,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\\"city\\":\\"%s\\"}"}}}}'
            % (index, city),
        ),
        _cohere_event(b"tool-call-end", b'"index":%d' % index),
    )


def _cohere_end(reason: bytes) -> bytes:
    return _cohere_event(
        b"message-end",
        b'"id":"c1","delta":{"finish_reason":"%s","usage":{"billed_units":{"input_tokens":5,"output_tokens":20},'
        b'"tokens":{"input_tokens":12,"output_tokens":30}}}' % reason,
    )


_COHERE_START = _cohere_event(
    b"message-start",
    b'"id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}',
)
COHERE = VendorStream(
    events=(
        _COHERE_START,
        _cohere_event(b"content-start", b'"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}'),
        _cohere_text(b"The container "),
        _cohere_text(b"was killed: "),
        _cohere_text(b"out of memory."),
        _cohere_event(b"content-end", b'"index":0'),
        _cohere_end(b"COMPLETE"),
    ),
    tools=(_COHERE_START, *_cohere_call(0, b"Oslo"), *_cohere_call(1, b"Rome"), _cohere_end(b"TOOL_CALL")),
    error=_cohere_event(b"message-end", b'"id":"c1","delta":{"finish_reason":"ERROR","error":"..."}'),
    bad=b'event: content-delta\ndata: {"type":"content-del\n\n',
)


# ollama-native.md, section 4
def _ollama_event(message: bytes, rest: bytes = b'"done":false') -> bytes:
    return b'{"model":"qwen3","created_at":"t","message":{"role":"assistant",%s},%s}\n' % (message, rest)


_OLLAMA_END = _ollama_event(
    b'"content":""',
    b'"done":true,"done_reason":"stop","total_duration":1,"prompt_eval_count":12,"eval_count":30',
)
OLLAMA = VendorStream(
    events=(
        _ollama_event(b'"content":"The container "'),
        _ollama_event(b'"content":"was killed: "'),
        _ollama_event(b'"content":"out of memory."'),
        _OLLAMA_END,
    ),
    tools=(
        _ollama_event(
            b'"content":"","tool_calls":[{"id":"call_1","function":{"index":0,"name":"get_weather","arguments":'
            b'{"city":"Oslo"}}}]'
        ),
        _ollama_event(
            b'"content":"","tool_calls":[{"id":"call_2","function":{"index":0,"name":"get_weather","arguments":'
            b'{"city":"Rome"}}}]'
        ),
        _OLLAMA_END,
    ),
    error=b'{"error":"an error was encountered while running the model"}\n',
    bad=b'{"model":"qwen3","created_at":"t","mess\n',
    ping=b"\n",
    content_type="application/x-ndjson",
)


# llamacpp-completion.md, section 4
def _llamacpp_event(text: bytes) -> bytes:
    return b'data: {"index":0,"content":"%s","tokens":[17],"stop":false,"id_slot":-1}\n\n' % text


_LLAMACPP_END = (
    b'data: {"index":0,"content":"","tokens":[],"stop":true,"tokens_predicted":30,"tokens_evaluated":12,'
    b'"stop_type":"eos","stopping_word":"","timings":{}}\n\n'
)
LLAMACPP = VendorStream(
    events=(
        _llamacpp_event(b"The container "),
        _llamacpp_event(b"was killed: "),
        _llamacpp_event(b"out of memory."),
        _LLAMACPP_END,
    ),
    tools=(),
    error=b'data: {"error":{"code":500,"message":"...","type":"server_error"}}\n\n',
    bad=b'data: {"index":0,"cont\n\n',
    ping=b": \n\n",
)


# huggingface.md, section 4
def _tgi_event(text: bytes) -> bytes:
    return (
        b'data:{"index":1,"token":{"id":17,"text":"%s","logprob":-0.1,"special":false},"generated_text":null,'
        b'"details":null}\n\n' % text
    )


TGI = VendorStream(
    events=(
        _tgi_event(b"The container "),
        _tgi_event(b"was killed: "),
        _tgi_event(b"out of memory."),
        b'data:{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":'
        b'"The container was killed: out of memory.","details":{"finish_reason":"eos_token","generated_tokens":30,'
        b'"seed":null,"input_length":12}}\n\n',
    ),
    tools=(),
    error=b'data:{"error":"...","error_type":"overloaded"}\n\n',
    bad=b'data:{"index":1,"tok\n\n',
)

STREAMS: Mapping[str, VendorStream] = {
    "openai-chat": OPENAI_CHAT,
    "openai-responses": OPENAI_RESPONSES,
    "anthropic-messages": ANTHROPIC,
    "gemini-generate-content": GEMINI,
    "cohere-v2-chat": COHERE,
    "ollama-native": OLLAMA,
    "llamacpp-completion": LLAMACPP,
    "tgi-generate": TGI,
}
