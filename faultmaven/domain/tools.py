"""Tools: functions that a model may call."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: The name that the model uses in tool calls.
        description: The purpose of the tool, for the model to read.
        parameters: A JSON schema of type "object", whose properties are the arguments.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, source: Callable[..., Any] | type, *, name: str = "", description: str = "") -> Self:
        """Return the tool that a typed function or a pydantic model describes.

        Args:
            source: A function whose parameters have type hints, or a pydantic model whose fields are the parameters.
            name: The name that the model uses in tool calls; "" uses the name of `source`.
            description: The purpose of the tool; "" uses the first paragraph of the docstring.

        Raises:
            InvalidRequestError: a parameter has no type hint, or one without a JSON schema; the message names the tool.
        """
        tool_name = name or getattr(source, "__name__", "")
        if not tool_name or not callable(source):
            raise _tool_error(
                f"a {type(source).__name__} without a name cannot be a tool", "Pass a function or a pydantic model."
            )
        paragraph = inspect.cleandoc(source.__doc__ or "").partition("\n\n")[0]
        return cls(tool_name, description or " ".join(paragraph.split()), _parameters_schema(source, tool_name))


def _parameters_schema(source: Any, tool: str) -> dict[str, Any]:
    """Return the JSON schema of the parameters of `source`, as pydantic writes it."""
    import pydantic  # imported at the first use, since the import is slow

    make_schema = getattr(source, "model_json_schema", None)
    if make_schema is None:
        _check_signature(source, tool)
    try:
        schema: dict[str, Any] = make_schema() if make_schema else pydantic.TypeAdapter(source).json_schema()
    # A type hint with an undefined name raises NameError.
    except (pydantic.errors.PydanticUserError, NameError) as error:
        raise _tool_error(f"no JSON schema can describe the parameters of the tool {tool!r}") from error
    return schema


def _check_signature(function: Callable[..., Any], tool: str) -> None:
    """Raise InvalidRequestError for a parameter that cannot be passed by name or has no type hint."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise _tool_error(f"the tool {tool!r} does not declare its parameters") from error
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise _tool_error(f"the parameter {parameter.name!r} of the tool {tool!r} cannot be passed by name")
        if parameter.annotation is parameter.empty:
            raise _tool_error(f"the parameter {parameter.name!r} of the tool {tool!r} has no type hint")


def _tool_error(problem: str, advice: str = "") -> InvalidRequestError:
    return InvalidRequestError(problem, advice=advice)
