"""Conversation checks: a vendor refuses an invalid conversation with tools, and the lab answers 400 as the vendor does.

Source: wire reference, 2026-11-23: openai-chat.md 2 (5), openai-responses.md 5 (3), anthropic-messages.md 2 (5) and 7,
gemini-generate-content.md 2 (5) and 7, cohere-v2-chat.md 2 (5), ollama-native.md 2 (5).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import pydantic_core

JsonObject: TypeAlias = Mapping[str, Any]
ConversationCheck: TypeAlias = Callable[[JsonObject], Iterator[str]]

KNOWN_SIGNATURES = {
    "anthropic-messages": {"EqQB1", "EqQB..."},
    "gemini-generate-content": {"CrEB1", "CrEB..."},
    "openai-responses": {"ENC1", "..."},
}
"""The signatures in the lab's own replies; any other one belongs to another vendor or was altered."""

CONVERSATION_FIELDS = {
    "openai-chat": "messages",
    "openai-responses": "input",
    "anthropic-messages": "messages",
    "gemini-generate-content": "contents",
    "cohere-v2-chat": "messages",
    "ollama-native": "messages",
}
"""The field of each dialect's request that holds the messages; a request without this field is not checked."""

SIGNATURE_BYPASSES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""The values that Google documents in place of a signature for a tool call of another model."""


def conversation_errors(dialect: str, body: bytes) -> list[str]:
    """Return the reasons for which a vendor with this dialect refuses the conversation in `body`, [] if it is valid."""
    request = pydantic_core.from_json(body) if body else {}
    if not isinstance(request, dict) or not isinstance(request.get(CONVERSATION_FIELDS.get(dialect, "")), list):
        return []
    known = (*KNOWN_SIGNATURES.get(dialect, ()), *SIGNATURE_BYPASSES)
    unknown = [signature for signature in _signatures(request) if signature not in known]
    return [*CHECKS[dialect](request), *(f"unknown signature {signature!r}" for signature in unknown)]


def _signatures(value: Any) -> Iterator[Any]:
    """Yield the values of all signature fields inside `value`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("signature", "thoughtSignature", "encrypted_content"):
                yield inner
            yield from _signatures(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _signatures(inner)


def _check_openai_chat(request: JsonObject) -> Iterator[str]:
    open_calls: list[str] = []
    for message in request["messages"]:
        if message["role"] == "tool":
            yield from _close_call(message, open_calls)
            continue
        if open_calls:
            yield f"calls without results: {open_calls}"
        calls = message.get("tool_calls") or ()
        open_calls = [call["id"] for call in calls]
        yield from _check_openai_message(message, calls)


def _close_call(message: JsonObject, open_calls: list[str]) -> Iterator[str]:
    """Remove the call that a tool message answers from `open_calls`; report a message without such a call."""
    if message.get("tool_call_id") in open_calls:
        open_calls.remove(message["tool_call_id"])
    else:
        yield "a tool message without its call"


def _check_openai_message(message: JsonObject, calls: Sequence[JsonObject]) -> Iterator[str]:
    if message["role"] == "assistant" and not message.get("content") and not calls:
        yield "an assistant message without content or calls"
    if any(not isinstance(call["function"]["arguments"], str) for call in calls):
        yield "arguments are not a string"


def _check_openai_responses(request: JsonObject) -> Iterator[str]:
    items = request["input"]
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    if sorted(calls) != sorted(results):
        yield f"calls {calls} and results {results} differ"
    for item, next_item in zip(items, [*items[1:], {}], strict=False):
        if item.get("type") == "reasoning" and next_item.get("type") not in ("function_call", "message"):
            yield "a reasoning item without its following item"


def _check_anthropic(request: JsonObject) -> Iterator[str]:
    open_calls: list[str] = []
    previous_role = ""
    for message in request["messages"]:
        role, content = message["role"], message["content"]
        blocks = content if isinstance(content, list) else []
        if role == previous_role:
            yield f"two {previous_role} turns in a row"
        previous_role = role
        if role == "user":
            yield from _check_anthropic_results(blocks, open_calls)
        elif role != "assistant":
            yield f"unknown role {role!r}"
        open_calls = [block["id"] for block in blocks if block.get("type") == "tool_use"]
        if content == "" or any(_is_empty_text_block(block) for block in blocks):
            yield "an empty text block"
    if open_calls:
        yield f"no results for calls {open_calls}"


def _check_anthropic_results(blocks: Sequence[JsonObject], open_calls: list[str]) -> Iterator[str]:
    """Check that a user message has a result for each open call, before all other blocks."""
    results = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
    if sorted(results) != sorted(open_calls):
        yield f"results {results} for calls {open_calls}"
    if any(block.get("type") != "tool_result" for block in blocks[: len(results)]):
        yield "results do not come first"


def _is_empty_text_block(block: JsonObject) -> bool:
    return block.get("type") == "text" and not block.get("text")


def _check_gemini(request: JsonObject) -> Iterator[str]:
    open_calls: list[str] = []
    for content in request["contents"]:
        parts = content["parts"]
        responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
        answered = [response["name"] for response in responses]
        if content["role"] == "user" and sorted(answered) != sorted(open_calls):
            yield f"responses {answered} for calls {open_calls}"
        if any(not isinstance(response.get("response"), dict) for response in responses):
            yield "a response is not an object"
        calls = [part for part in parts if "functionCall" in part]
        if calls and "thoughtSignature" not in calls[0]:
            yield "the first function call of a turn has no thought signature"
        open_calls = [part["functionCall"]["name"] for part in calls]


def _check_cohere(request: JsonObject) -> Iterator[str]:
    yield from _check_openai_chat(request)
    roles = [message["role"] for message in request["messages"]]
    if "system" in roles[1:]:
        yield "a system turn that is not the first"


def _check_ollama(request: JsonObject) -> Iterator[str]:
    called: list[str] = []
    for message in request["messages"]:
        for call in message.get("tool_calls") or ():
            called.append(call["function"]["name"])
            if not isinstance(call["function"]["arguments"], dict):
                yield "arguments are not an object"
        if message["role"] == "tool" and message.get("tool_name") not in called:
            yield "a result without the name of a called tool"


CHECKS: Mapping[str, ConversationCheck] = {
    "openai-chat": _check_openai_chat,
    "openai-responses": _check_openai_responses,
    "anthropic-messages": _check_anthropic,
    "gemini-generate-content": _check_gemini,
    "cohere-v2-chat": _check_cohere,
    "ollama-native": _check_ollama,
}
