"""Validation of tools, schemas and other options, before any request is sent to a provider."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...domain.errors import InvalidRequestError
from ...domain.messages import Message
from ...domain.names import did_you_mean
from ...domain.requests import ChatRequest
from ...domain.tool_calls import ToolCall
from ...domain.tools import Tool
from ...ports.schemas import SchemaValidator
from ..streaming.commit_point import COMMIT_POINTS

MAX_NUMBER = 10**9
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOL_CHOICES = ("auto", "none", "required")
TOOL_CHOICES_WITHOUT_TOOLS = ("auto", "none")
VENDOR_FORMATS = ("json_schema", "json_object", "text")
REASONING_LEVELS = ("off", "low", "medium", "high")


def check_tools(tools: Sequence[Any], choice: Any) -> None:
    """Validate the tools and the tool choice.

    Raises:
        InvalidRequestError: a tool that no vendor accepts, two tools of one name, or a choice of an unknown tool.
    """
    for position, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            raise InvalidRequestError(f"tools[{position}] is a {type(tool).__name__}, not a Tool")
        name: Any = tool.name
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            raise InvalidRequestError(f"tools[{position}] has a name that is not 1 to 64 letters, digits, _ or -")
        parameters: Any = tool.parameters
        if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
            raise InvalidRequestError(f"the parameters of the tool {tool.name!r} are not a JSON schema of an object")
        description: Any = tool.description
        if not isinstance(description, str):
            kind = type(description).__name__
            raise InvalidRequestError(f"the description of the tool {name!r} is a {kind}, not a string")
        check_text(f"the description of the tool {name!r}", description)
    names = [tool.name for tool in tools]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise InvalidRequestError(f"two tools have the name {duplicate!r}")
    _check_tool_choice(choice, names)


def _check_tool_choice(choice: Any, names: Sequence[str]) -> None:
    if choice is None:
        return
    if not isinstance(choice, str):
        problem = f"tool_choice is a {type(choice).__name__}, not a string"
        raise InvalidRequestError(problem, advice='Pass "auto", "none", "required" or the name of a tool.')
    if choice in TOOL_CHOICES and choice in names:
        raise InvalidRequestError(f"tool_choice={choice!r} is also the name of a tool", advice="Rename the tool.")
    if not names and choice not in TOOL_CHOICES_WITHOUT_TOOLS:
        raise InvalidRequestError(f"tool_choice={choice!r} needs tools, and names no tool of this request")
    if choice not in TOOL_CHOICES and choice not in names:
        raise InvalidRequestError(
            f"tool_choice={choice!r} names no tool{did_you_mean(choice, (*TOOL_CHOICES, *names))}"
        )


def check_format(value: Any) -> None:
    """Validate a `response_format`: a pydantic model, a JSON schema, "json" or None.

    Raises:
        InvalidRequestError: any other value. The form of one vendor is refused, too, since every vendor has another.
    """
    if isinstance(value, Mapping) and value.get("type") in VENDOR_FORMATS:
        problem = f"response_format has the type {value['type']!r}, a vendor's format and not a JSON schema"
        raise InvalidRequestError(problem, advice='Pass the schema itself, or "json".')
    if value is None or value == "json" or (isinstance(value, Mapping) and value):
        return
    if isinstance(value, type) and hasattr(value, "model_json_schema") and hasattr(value, "model_validate_json"):
        return
    kind = repr(value) if isinstance(value, str) else f"a {getattr(value, '__name__', type(value).__name__)}"
    raise InvalidRequestError(
        f"response_format is {kind}", advice='Pass a pydantic model, a JSON schema as a mapping, or "json".'
    )


def check_reasoning(value: Any) -> None:
    """Refuse a `reasoning` that is neither a level of `REASONING_LEVELS` nor a budget of 0 or more tokens."""
    _check_word_or_count("reasoning", value, REASONING_LEVELS, "level or token budget", minimum=0)


def check_commit(value: Any) -> None:
    """Refuse a `commit` that is neither one of `COMMIT_POINTS` nor a number of characters from 1."""
    _check_word_or_count("commit", value, COMMIT_POINTS, "commit point", minimum=1)


def _check_word_or_count(name: str, value: Any, words: Sequence[str], kind: str, minimum: int) -> None:
    if value is None or (isinstance(value, str) and value in words):
        return
    if isinstance(value, str):
        raise InvalidRequestError(f"{name}={value!r} is not a {kind}{did_you_mean(value, words)}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name} is a {type(value).__name__}, not a {kind}")
    if not minimum <= value <= MAX_NUMBER:  # not shown: Python refuses to write an int of thousands of digits
        raise InvalidRequestError(f"{name} is out of range: {minimum} to {MAX_NUMBER} is valid")


def check_text(name: str, text: str) -> None:
    """Refuse a text with a lone surrogate, which no encoding can send.

    A lossy decoder, or a cut between the two halves of a surrogate pair, leaves one behind.
    """
    position = None if text.isascii() else _lone_surrogate(text)
    if position is not None:
        raise InvalidRequestError(
            f"{name} holds a lone surrogate at character {position}, which no encoding can send",
            advice="Decode the source with errors='replace', "
            "or clean the text with text.encode(errors='replace').decode().",
        )


def _lone_surrogate(text: str) -> int | None:
    """Return the position of the first lone surrogate, None without one."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def check_results(messages: Iterable[Message]) -> None:
    """Validate tool calls and their results.

    Raises:
        InvalidRequestError: a result without its call in an earlier message, which no vendor accepts; or a tool call in
            a message whose role is not "assistant".
    """
    call_ids: set[str] = set()
    for position, message in enumerate(messages):
        calls: tuple[Any, ...] = message.tool_calls
        if calls:
            if any(not isinstance(call, ToolCall) for call in calls):
                raise InvalidRequestError(f"prompt[{position}] holds a tool call that is not a ToolCall")
            if message.role != "assistant":
                raise InvalidRequestError(f"prompt[{position}] has the role {message.role!r} and holds tool calls")
            call_ids |= {call.id for call in calls}
        if message.role == "tool" and message.tool_call_id not in call_ids:
            raise InvalidRequestError(
                f"prompt[{position}] is the result of a tool call that no earlier turn holds",
                advice="Append response.message before the results of the tool calls.",
            )


def check_schema(request: ChatRequest, schemas: SchemaValidator | None) -> None:
    """Validate the JSON schema of `response_format`, if the request has one.

    Args:
        schemas: The JSON Schema validator; None skips the validation.

    Raises:
        InvalidRequestError: the mapping is no valid JSON schema.
        ConfigurationError: no library for JSON Schema is installed.
    """
    if schemas is None or not isinstance(request.response_format, Mapping):
        return
    try:
        schemas.check_for(request.response_format)
    except ValueError:
        pass  # raised below: in here, the ValueError, whose text quotes the schema, would be the context
    else:
        return
    raise InvalidRequestError("response_format is not a valid JSON schema")
