"""What the door refuses of tools, schemas and their kin: bad input gets a clear error before anybody is asked."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from faultmaven.application.commit import COMMIT_POINTS
from faultmaven.domain.chat import ChatRequest, Message
from faultmaven.domain.errors import InvalidRequestError
from faultmaven.domain.names import did_you_mean
from faultmaven.domain.tools import Tool
from faultmaven.ports.schemas import SchemaValidator

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
CHOICES = ("auto", "none", "required")
REASONING = ("off", "low", "medium", "high")


def check_tools(tools: Sequence[Any], choice: Any) -> None:
    """Refuse tools that no vendor takes, and a choice that names none of them."""
    for position, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            raise InvalidRequestError(f"tools[{position}] is a {type(tool).__name__}, not a Tool")
        if not TOOL_NAME.fullmatch(str(tool.name)):
            raise InvalidRequestError(f"tools[{position}] has a name that is not 1 to 64 letters, digits, _ or -")
        parameters: Any = tool.parameters
        if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
            raise InvalidRequestError(f"the parameters of the tool {tool.name!r} are no JSON schema of an object")
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise InvalidRequestError("two tools have the same name")
    if choice is None or choice in CHOICES[:2] or (choice == "required" and tools):
        return
    if choice not in names:
        known = (*CHOICES, *names)
        raise InvalidRequestError(f"tool_choice={choice!r} names no tool{did_you_mean(str(choice), known)}")


def check_format(wanted: Any) -> None:
    """Refuse a `response_format` that is none."""
    if wanted is None or wanted == "json" or (isinstance(wanted, Mapping) and wanted):
        return
    if isinstance(wanted, type) and hasattr(wanted, "model_json_schema") and hasattr(wanted, "model_validate_json"):
        return
    told = repr(wanted) if isinstance(wanted, str) else f"a {type(wanted).__name__}"
    raise InvalidRequestError(
        f"response_format is {told}", advice='Pass a pydantic model, a JSON schema as a mapping, or "json".'
    )


def check_reasoning(wanted: Any) -> None:
    """Refuse a `reasoning` that is neither a level nor a budget."""
    if wanted is None or wanted in REASONING:
        return
    if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0:
        return
    raise InvalidRequestError(f"reasoning={wanted!r} is no level and no budget{did_you_mean(str(wanted), REASONING)}")


def check_commit(wanted: Any) -> None:
    """Refuse a `commit` that is no commit point."""
    if wanted is None or wanted in COMMIT_POINTS:
        return
    if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 1:
        return
    raise InvalidRequestError(f"commit={wanted!r} is no commit point{did_you_mean(str(wanted), COMMIT_POINTS)}")


def check_results(messages: Iterable[Message]) -> None:
    """Refuse a result whose call is not there: no vendor takes it."""
    asked: set[str] = set()
    for position, message in enumerate(messages):
        asked |= {call.id for call in message.tool_calls}
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
