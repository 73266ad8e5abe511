"""What vendors refuse in a conversation with tools: the lab answers 400 as they do.

Source: wire/*.md, 2026-11-23: openai-chat.md 2 (5), openai-responses.md 5 (3), anthropic-messages.md 2 (5) and 7,
gemini-generate-content.md 2 (5) and 7, cohere-v2-chat.md 2 (5), ollama-native.md 2 (5).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pydantic_core

Check: TypeAlias = Callable[[Mapping[str, Any]], Iterator[str]]

KNOWN_SIGNATURES = {
    "anthropic-messages": {"EqQB1", "EqQB..."},
    "gemini-generate-content": {"CrEB1", "CrEB..."},
    "openai-responses": {"ENC1", "..."},
}
"""What the lab itself has signed: anything else is another vendor's, or was changed on the way."""

TURNS = {
    "openai-chat": "messages",
    "openai-responses": "input",
    "anthropic-messages": "messages",
    "gemini-generate-content": "contents",
    "cohere-v2-chat": "messages",
    "ollama-native": "messages",
}
"""Where each dialect has its turns; a request without them is not looked at."""

BYPASSES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""What Google documents in place of a signature for a call that another model made."""


def refused(dialect: str, body: bytes) -> list[str]:
    """Return why this vendor would refuse the conversation in `body`, nothing when it would not."""
    asked = pydantic_core.from_json(body) if body else {}
    if not isinstance(asked, dict) or not isinstance(asked.get(TURNS.get(dialect, "")), list):
        return []
    faults = list(CHECKS[dialect](asked))
    known = KNOWN_SIGNATURES.get(dialect, set())
    signatures = [value for key, value in _walk(asked) if key in ("signature", "thoughtSignature", "encrypted_content")]
    faults += [f"unknown signature {value!r}" for value in signatures if value not in known and value not in BYPASSES]
    return faults


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _openai_chat(asked: Mapping[str, Any]) -> Iterator[str]:
    open_calls: list[str] = []
    for message in asked["messages"]:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                yield "a tool message without its call"
            else:
                open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            yield f"calls without results: {open_calls}"
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
        if message["role"] == "assistant" and not message.get("content") and not open_calls:
            yield "an assistant message without content or calls"
        if any(not isinstance(call["function"]["arguments"], str) for call in message.get("tool_calls") or ()):
            yield "arguments are no string"


def _openai_responses(asked: Mapping[str, Any]) -> Iterator[str]:
    items = asked["input"]
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    if sorted(calls) != sorted(results):
        yield f"calls {calls} and results {results} differ"
    for place, item in enumerate(items):
        behind = items[place + 1] if place + 1 < len(items) else {}
        if item.get("type") == "reasoning" and behind.get("type") not in ("function_call", "message"):
            yield "a reasoning item without its following item"


def _anthropic(asked: Mapping[str, Any]) -> Iterator[str]:
    wanted: list[str] = []
    previous = ""
    for message in asked["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else []
        if message["role"] == previous:
            yield f"two {previous} turns in a row"
        previous = message["role"]
        if message["role"] == "user":
            found = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
            if sorted(found) != sorted(wanted):
                yield f"results {found} for calls {wanted}"
            if found and any(block.get("type") != "tool_result" for block in blocks[: len(found)]):
                yield "results do not come first"
        elif message["role"] != "assistant":
            yield f"role {message['role']!r}"
        wanted = [block["id"] for block in blocks if block.get("type") == "tool_use"]
        if any(block.get("type") == "text" and not block.get("text") for block in blocks) or message["content"] == "":
            yield "an empty text block"
    if wanted:
        yield f"no results for calls {wanted}"


def _gemini(asked: Mapping[str, Any]) -> Iterator[str]:
    wanted: list[str] = []
    for content in asked["contents"]:
        parts = content["parts"]
        found = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        if content["role"] == "user" and sorted(found) != sorted(wanted):
            yield f"responses {found} for calls {wanted}"
        responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if any(not isinstance(response.get("response"), dict) for response in responses):
            yield "a response that is no object"
        calls = [part for part in parts if "functionCall" in part]
        if calls and "thoughtSignature" not in calls[0]:
            yield "the first function call of a turn has no thought signature"
        wanted = [part["functionCall"]["name"] for part in calls]


def _cohere(asked: Mapping[str, Any]) -> Iterator[str]:
    yield from _openai_chat(asked)
    roles = [message["role"] for message in asked["messages"]]
    if "system" in roles[1:]:
        yield "a system turn that is not the first"


def _ollama(asked: Mapping[str, Any]) -> Iterator[str]:
    names: list[str] = []
    for message in asked["messages"]:
        for call in message.get("tool_calls") or ():
            names.append(call["function"]["name"])
            if not isinstance(call["function"]["arguments"], dict):
                yield "arguments are no object"
        if message["role"] == "tool" and message.get("tool_name") not in names:
            yield "a result without the name of its tool"


CHECKS: Mapping[str, Check] = {
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
    "anthropic-messages": _anthropic,
    "gemini-generate-content": _gemini,
    "cohere-v2-chat": _cohere,
    "ollama-native": _ollama,
}
