"""What the door refuses of tools, schemas and their kin: bad input gets a clear error before anybody is asked."""

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

LARGEST = 10**9
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHOICES = ("auto", "none", "required")
WITHOUT_TOOLS = ("auto", "none")
VENDOR_FORMATS = ("json_schema", "json_object", "text")
REASONING = ("off", "low", "medium", "high")


def check_tools(tools: Sequence[Any], choice: Any) -> None:
    """Refuse tools that no vendor takes, and a choice that names none of them."""
    for position, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            raise InvalidRequestError(f"tools[{position}] is a {type(tool).__name__}, not a Tool")
        name: Any = tool.name
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            raise InvalidRequestError(f"tools[{position}] has a name that is not 1 to 64 letters, digits, _ or -")
        parameters: Any = tool.parameters
        if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
            raise InvalidRequestError(f"the parameters of the tool {tool.name!r} are no JSON schema of an object")
        about: Any = tool.description
        if not isinstance(about, str):
            told = type(about).__name__
            raise InvalidRequestError(f"the description of the tool {name!r} is a {told}, not a string")
        check_text(f"the description of the tool {name!r}", about)
    names = [tool.name for tool in tools]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidRequestError(f"two tools have the name {twice!r}")
    _check_choice(choice, names)


def _check_choice(choice: Any, names: Sequence[str]) -> None:
    if choice is None:
        return
    if not isinstance(choice, str):
        told = f"tool_choice is a {type(choice).__name__}, not a string"
        raise InvalidRequestError(told, advice='Pass "auto", "none", "required" or the name of a tool.')
    if choice in CHOICES and choice in names:
        raise InvalidRequestError(f"tool_choice={choice!r} is also the name of a tool", advice="Rename the tool.")
    if not names and choice not in WITHOUT_TOOLS:
        raise InvalidRequestError(f"tool_choice={choice!r} needs tools, and names no tool of this request")
    if choice not in CHOICES and choice not in names:
        raise InvalidRequestError(f"tool_choice={choice!r} names no tool{did_you_mean(choice, (*CHOICES, *names))}")


def check_format(wanted: Any) -> None:
    """Refuse a `response_format` that is none, and one in a vendor's own form: each vendor has another."""
    if isinstance(wanted, Mapping) and wanted.get("type") in VENDOR_FORMATS:
        told = f"response_format has the type {wanted['type']!r}, which is a vendor's form and no JSON schema"
        raise InvalidRequestError(told, advice='Pass the schema itself, or "json".')
    if wanted is None or wanted == "json" or (isinstance(wanted, Mapping) and wanted):
        return
    if isinstance(wanted, type) and hasattr(wanted, "model_json_schema") and hasattr(wanted, "model_validate_json"):
        return
    told = repr(wanted) if isinstance(wanted, str) else f"a {getattr(wanted, '__name__', type(wanted).__name__)}"
    raise InvalidRequestError(
        f"response_format is {told}", advice='Pass a pydantic model, a JSON schema as a mapping, or "json".'
    )


def check_reasoning(wanted: Any) -> None:
    """Refuse a `reasoning` that is neither a level nor a budget."""
    _check_word_or_count("reasoning", wanted, REASONING, "level and no budget", least=0)


def check_commit(wanted: Any) -> None:
    """Refuse a `commit` that is no commit point."""
    _check_word_or_count("commit", wanted, COMMIT_POINTS, "commit point", least=1)


def _check_word_or_count(name: str, wanted: Any, words: Sequence[str], what: str, least: int) -> None:
    if wanted is None or (isinstance(wanted, str) and wanted in words):
        return
    if isinstance(wanted, str):
        raise InvalidRequestError(f"{name}={wanted!r} is no {what}{did_you_mean(wanted, words)}")
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise InvalidRequestError(f"{name} is a {type(wanted).__name__}, which is no {what}")
    if not least <= wanted <= LARGEST:  # not shown: Python refuses to write an int of thousands of digits
        raise InvalidRequestError(f"{name} is a number that is no {what}: {least} to {LARGEST} can be meant")


def check_text(name: str, text: str) -> None:
    """Refuse what no encoding can send: half of a surrogate pair, as a lossy decoder or a cut leaves behind."""
    position = _lone_surrogate(text)
    if position is not None:
        raise InvalidRequestError(
            f"{name} holds a lone surrogate at character {position}, which no encoding can send",
            advice="Decode its source with errors='replace', or clean it with text.encode(errors='replace').decode().",
        )


def _lone_surrogate(text: str) -> int | None:
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def check_results(messages: Iterable[Message]) -> None:
    """Refuse a result whose call is not there: no vendor takes it. Calls are the assistant's alone."""
    asked: set[str] = set()
    for position, message in enumerate(messages):
        calls: tuple[Any, ...] = message.tool_calls
        if calls:
            if any(not isinstance(call, ToolCall) for call in calls):
                raise InvalidRequestError(f"prompt[{position}] holds a tool call that is no ToolCall")
            if message.role != "assistant":
                raise InvalidRequestError(f"prompt[{position}] is a turn of the {message.role} and asks for tool calls")
            asked |= {call.id for call in calls}
        if message.role == "tool" and message.tool_call_id not in asked:
            raise InvalidRequestError(
                f"prompt[{position}] is the result of a tool call that no turn before it asks for",
                advice="Append response.message before the results of its calls.",
            )


def check_schema(request: ChatRequest, schemas: SchemaValidator | None) -> None:
    """Refuse a schema that is none, before anybody is asked for an answer of it.

    Raises:
        ConfigurationError: nothing here knows JSON Schema.
    """
    if schemas is None or not isinstance(request.response_format, Mapping):
        return
    try:
        schemas.check_for(request.response_format)
    except ValueError:
        pass  # raised below, without its text, which quotes the schema
    else:
        return
    raise InvalidRequestError("response_format is no valid JSON schema")
