"""Tests for tools built from functions and models, and for the validation of options and attachments."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from faultmaven import File, Image, InvalidRequestError, Message, Tool, ToolCall
from faultmaven.application.validation.request import build_chat_request

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TOOL = Tool("restart", "Restarts.", {"type": "object", "properties": {}})


def restart(pod: str, grace_seconds: int = 30) -> str:
    """Restart a pod,
    and wait for it.

    Not for databases.
    """
    return f"{pod} {grace_seconds}"


class Restart(BaseModel):
    """Restart a pod."""

    pod: str


def test_function_becomes_a_tool() -> None:
    tool = Tool.of(restart)
    assert (tool.name, tool.description) == ("restart", "Restart a pod, and wait for it.")
    assert tool.parameters["required"] == ["pod"]
    assert tool.parameters["properties"]["grace_seconds"]["type"] == "integer"


def test_model_becomes_tool_with_given_name() -> None:
    tool = Tool.of(Restart, name="restart_pod")
    assert (tool.name, tool.description, tool.parameters["required"]) == ("restart_pod", "Restart a pod.", ["pod"])


def test_function_without_schema_is_refused_by_name() -> None:
    def untyped(pod):  # type: ignore[no-untyped-def]
        return pod

    def splat(*pods: str) -> None: ...

    class Strange: ...

    def strange(value: Strange) -> None: ...

    with pytest.raises(InvalidRequestError, match="'pod' of the tool 'untyped' has no type hint"):
        Tool.of(untyped)
    with pytest.raises(InvalidRequestError, match="'pods' of the tool 'splat' cannot be passed by name"):
        Tool.of(splat)
    with pytest.raises(InvalidRequestError, match="'strange'"):
        Tool.of(strange)


INVALID_TOOL_SOURCES: list[Any] = [len, 5, Restart(pod="a"), functools.partial(restart, "a"), print]


@pytest.mark.parametrize("source", INVALID_TOOL_SOURCES)
def test_unsupported_tool_source_is_refused(source: Any) -> None:
    with pytest.raises(InvalidRequestError):
        Tool.of(source)


def test_unresolvable_hint_and_field_are_refused() -> None:
    def dangling(pod: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    class Handler(BaseModel):
        call: Callable[[int], int]

    with pytest.raises(InvalidRequestError, match="no JSON schema can describe the parameters of the tool 'dangling'"):
        Tool.of(dangling)
    with pytest.raises(InvalidRequestError, match="no JSON schema can describe the parameters of the tool 'Handler'"):
        Tool.of(Handler)


def test_bound_coroutine_method_becomes_a_tool() -> None:
    class Cluster:
        async def scale(self, replicas: int, *, pool: str = "web") -> None:
            """Scale a pool."""

    tool = Tool.of(Cluster().scale)
    assert (tool.name, tool.description) == ("scale", "Scale a pool.")
    assert list(tool.parameters["properties"]) == ["replicas", "pool"]


INVALID_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"tools": ["restart"]}, r"tools\[0\] is a str, not a Tool"),
    ({"tools": [Tool("no spaces")]}, r"tools\[0\] has a name"),
    ({"tools": [Tool("a"), Tool("a")]}, "two tools have the name 'a'"),
    ({"tools": [Tool("a", "", {"type": "string"})]}, "not a JSON schema of an object"),
    ({"tools": [TOOL], "tool_choice": "restrat"}, "names no tool; did you mean 'restart'"),
    ({"tools": [TOOL], "tool_choice": ["restart"]}, "tool_choice is a list"),
    ({"tools": [Tool("auto")], "tool_choice": "auto"}, "is also the name of a tool"),
    ({"tools": [Tool(5)]}, r"tools\[0\] has a name"),  # type: ignore[arg-type]
    ({"tools": [Tool("a\n")]}, r"tools\[0\] has a name"),
    ({"tools": [Tool("a", None)]}, "description of the tool 'a' is a NoneType"),  # type: ignore[arg-type]
    ({"tools": [Tool("a", "\ud800")]}, "description of the tool 'a' holds a lone surrogate"),
    ({"tools": [Tool("a", "", "x")]}, "not a JSON schema of an object"),  # type: ignore[arg-type]
    ({"tool_choice": "required"}, "needs tools"),
    ({"tool_choice": "restart"}, "needs tools"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "a vendor's format"),
    ({"response_format": Restart(pod="a")}, "response_format is a Restart"),
    ({"response_format": int}, "response_format is a int"),
    ({"reasoning": 1.5}, "reasoning is a float"),
    ({"reasoning": 10**5000}, "reasoning is out of range"),
    ({"reasoning": -(10**5000)}, "reasoning is out of range"),
    ({"commit": ["whole"]}, "commit is a list"),
    ({"response_format": "JSON"}, "response_format is 'JSON'"),
    ({"response_format": 5}, "response_format is a int"),
    ({"response_format": {}}, "response_format is a dict"),
    ({"reasoning": "hgih"}, "did you mean 'high'"),
    ({"reasoning": -1}, "reasoning is out of range"),
    ({"reasoning": True}, "not a level or token budget"),
    ({"commit": "first-token"}, "did you mean 'first_token'"),
    ({"commit": 0}, "commit is out of range"),
    ({"repair": "yes"}, "repair is a str"),
    ({"cache_prompt": 1}, "cache_prompt is a int"),
]


@pytest.mark.parametrize(("options", "message"), INVALID_OPTIONS)
def test_invalid_request_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        build_chat_request("ping", None, None, None, options)


VALID_OPTIONS: list[dict[str, Any]] = [
    {"tools": [TOOL], "tool_choice": "restart"},
    {"tools": [TOOL], "tool_choice": "required"},
    {"tool_choice": "none"},
    {"response_format": Restart},
    {"response_format": {"type": "object"}},
    {"response_format": "json"},
    {"reasoning": 0},
    {"reasoning": "off"},
    {"commit": 1},
    {"commit": "whole"},
]


@pytest.mark.parametrize("options", VALID_OPTIONS)
def test_valid_request_option_is_accepted(options: dict[str, Any]) -> None:
    assert build_chat_request("ping", None, None, None, options).messages


INVALID_PARTS = [
    (Image.from_bytes(b""), "0 bytes"),
    (Image.from_bytes(b"GIF89a" + bytes(20 * 1024 * 1024)), "can be sent"),
    (Image.from_bytes(b"<svg></svg>"), "whose bytes are not image/png"),
    (Image.from_bytes(b"%PDF-1.7"), "whose bytes are not image/png"),
    (Image.from_bytes(PNG, "image/jpeg"), "of the media type image/jpeg whose bytes are image/png"),
    (File.from_bytes(PNG), "whose bytes are not application/pdf"),
    (Image.from_url("file:///etc/passwd"), "does not begin with http:// or https://"),
    (Image(), "with 0 sources"),
    (Image(data=PNG, url="https://a.example/b.png"), "with 2 sources"),
]


@pytest.mark.parametrize(("part", "message"), INVALID_PARTS)
def test_invalid_attachment_is_refused_with_reason(part: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        build_chat_request([Message.user("see", part)], None, None, None, {})
    assert "prompt[0]" in str(caught.value)
    assert "passwd" not in str(caught.value)


def test_media_type_is_detected_from_bytes() -> None:
    images = [PNG, b"\xff\xd8\xff\xe0", b"GIF89a..", b"RIFF\x00\x00\x00\x00WEBPVP8 "]
    request = build_chat_request([Message.user(*map(Image.from_bytes, images))], None, None, None, {})
    media_types = [image.media_type for image in request.messages[0].images]
    assert media_types == ["image/png", "image/jpeg", "image/gif", "image/webp"]


def test_image_in_system_message_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[0\] has the role 'system'"):
        build_chat_request([Message("system", (Image.from_bytes(PNG),)), Message.user("a")], None, None, None, {})


def test_tool_result_without_call_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[1\] is the result of a tool call"):
        build_chat_request([Message.user("a"), Message.tool("c1", "x")], None, None, None, {})
    call_message = Message.assistant(tool_calls=[ToolCall("c1", "restart")])
    assert build_chat_request([Message.user("a"), call_message, Message.tool("c1", "")], None, None, None, {}).messages


def test_only_assistant_messages_hold_tool_calls() -> None:
    with pytest.raises(InvalidRequestError, match=r"prompt\[0\] has the role 'user' and holds tool calls"):
        build_chat_request([Message("user", ("a",), (ToolCall("c1", "restart"),))])
    invalid_calls: Any = [{"id": "c1"}]
    with pytest.raises(InvalidRequestError, match=r"prompt\[1\] holds a tool call that is not a ToolCall"):
        build_chat_request([Message.user("a"), Message.assistant(tool_calls=invalid_calls), Message.user("b")])
