"""Readers of vendors' JSON. A wrong shape raises MalformedResponseError, never KeyError or TypeError."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic_core

from .....domain.errors import ErrorFacts, MalformedResponseError
from .....domain.tool_calls import ToolCall
from ....http.types import Json, WireReply

MAX_TOKEN_COUNT = 10**15
"""Upper limit of a token count: a larger number is treated as unknown."""


def write_json(value: Any) -> bytes:
    """Return `value` as JSON bytes."""
    return pydantic_core.to_json(value)


NOT_JSON: Any = object()
"""The result of `parse_json` for bytes that are not JSON."""


def parse_json(data: bytes | str) -> Any:
    """Return the JSON value in `data`, else `NOT_JSON`. No error is raised: the parser's own error quotes the text."""
    try:
        return pydantic_core.from_json(data)
    except ValueError:
        return NOT_JSON


def read_object(reply: WireReply) -> Json:
    """Return the body of the reply, a JSON object.

    Raises:
        MalformedResponseError: the body is no JSON object. The message names the content type and size, not the text.
    """
    data = parse_json(reply.body)
    if data is NOT_JSON:
        raise malformed_error(reply, _describe_invalid_body(reply))
    if not isinstance(data, dict):
        raise malformed_error(reply, f"the body is a JSON {json_type_name(data)}, not an object")
    return data


def _describe_invalid_body(reply: WireReply) -> str:
    if not reply.body.strip():
        return "the body is empty"
    if reply.content_type and "json" not in reply.content_type:
        known_type = _MEDIA_TYPE.fullmatch(reply.content_type)
        return f"the body is {reply.content_type if known_type else 'of another type'}, not JSON"
    return f"the body of {len(reply.body)} bytes is not whole JSON"


def malformed_error(reply: WireReply, problem: str) -> MalformedResponseError:
    """Return the error for a reply of the wrong shape."""
    facts = error_facts(reply)
    variable = reply.request.origin.base_url_var
    facts["advice"] = f"Check if {variable} points at the vendor's API." if variable else ""
    return MalformedResponseError(problem, **facts)


def error_facts(reply: WireReply) -> ErrorFacts:
    """Return the fields that errors take from a reply: provider, model, status and the vendor's request id."""
    return {
        "provider": reply.request.origin.provider,
        "model": reply.request.model,
        "status": reply.status,
        "request_id": read_request_id(reply),
    }


def json_type_name(value: Any) -> str:
    """Return the JSON name of a value's type."""
    names = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def first_object(reply: WireReply, data: Mapping[str, Any], name: str) -> Json:
    """Return the first object of the list at `name`; raises MalformedResponseError when there is none."""
    value = data.get(name)
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        raise malformed_error(reply, f"{name!r} is {_describe_value(data, name)}, not a list of objects")
    return value[0]


def object_at(reply: WireReply, data: Mapping[str, Any], name: str) -> Json:
    """Return the object at `name`; raises MalformedResponseError when there is none."""
    value = data.get(name)
    if not isinstance(value, dict):
        raise malformed_error(reply, f"{name!r} is {_describe_value(data, name)}, not an object")
    return value


def text_at(reply: WireReply, data: Mapping[str, Any], name: str) -> str:
    """Return the string at `name`, "" for null or absent; raises MalformedResponseError for another type."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed_error(reply, f"{name!r} is a {json_type_name(value)}, not a string")
    return value


def required_text(reply: WireReply, data: Mapping[str, Any], name: str) -> str:
    """Return the string at `name`; raises MalformedResponseError when it is absent or of another type."""
    if not isinstance(data.get(name), str):
        raise malformed_error(reply, f"{name!r} is {_describe_value(data, name)}, not a string")
    return text_at(reply, data, name)


def _describe_value(data: Mapping[str, Any], name: str) -> str:
    if name not in data:
        return "missing"
    value = data[name]
    return "empty" if value == [] else f"a {json_type_name(value)}"


def objects_in(value: Any) -> list[Json]:
    """Return the objects in a list and skip its other items; return no objects where `value` is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def object_or_empty(value: Any) -> Json:
    """Return `value` when it is an object, else an empty object: for parts that a vendor may omit."""
    return value if isinstance(value, dict) else {}


def string_or_empty(value: Any) -> str:
    """Return `value` when it is a string, else ""."""
    return value if isinstance(value, str) else ""


def token_count(value: Any) -> int | None:
    """Return a token count; None when the vendor sent none or an invalid one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_TOKEN_COUNT else None  # NaN is in no range


def sum_of_known(*counts: int | None) -> int | None:
    """Return the sum of the known counts, None when all are unknown."""
    known = [value for value in counts if value is not None]
    return sum(known) if known else None


def join_texts(blocks: Iterable[Json], name: str) -> str:
    """Return the joined strings at `name` of all blocks."""
    return "".join(string_or_empty(block.get(name)) for block in blocks)


def parse_tool_call(call_id: Any, name: Any, arguments: Any) -> ToolCall:
    """Return a tool call from arguments that are JSON text or an object. Invalid text stays in `raw_arguments`.

    Missing arguments become an empty object, since that is how models call a tool without parameters.
    """
    if isinstance(arguments, dict):
        return ToolCall(string_or_empty(call_id), string_or_empty(name), arguments, write_json(arguments).decode())
    raw = string_or_empty(arguments)
    parsed = parse_json(raw) if raw.strip() else {}
    problem = ""
    if not isinstance(parsed, dict):
        description = "not JSON" if parsed is NOT_JSON else f"a JSON {json_type_name(parsed)}, not an object"
        problem, parsed = f"the arguments are {description}", {}
    return ToolCall(string_or_empty(call_id), string_or_empty(name), parsed, raw, problem)


# Vendors' headers with the id of an exchange, the most specific first (wire reference, 2026-11-23).
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-generation-id", "apim-request-id", "x-debug-trace-id")
_MEDIA_TYPE = re.compile(r"(application|audio|image|message|multipart|text|video)/[a-z0-9.+-]{1,40}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:@/-]{1,128}")


def read_request_id(reply: WireReply) -> str:
    """Return the vendor's id of the exchange, "" when the id is missing, is no identifier or shows the API key."""
    for name in REQUEST_ID_HEADERS:
        value = identifier_or_empty(reply.headers.get(name))
        if value and not shows_secret(value, reply.request.secret):
            return value
    return ""


def shows_secret(text: str, secret: str) -> bool:
    """Return whether `text` holds the first or last eight characters of the API key, or is itself a part of the key."""
    return len(secret) >= 4 and (secret[:8] in text or secret[-8:] in text or text in secret)


def identifier_or_empty(value: Any) -> str:
    """Return `value` when it is a short plain identifier, else "": vendors' prose never enters our error messages."""
    if value is None:
        return ""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _IDENTIFIER.fullmatch(text) else ""
