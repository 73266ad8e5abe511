"""Functions that a model may call, and the calls it asks for."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, source: Callable[..., Any] | type, *, name: str = "", description: str = "") -> Self:
        """Return the tool that a typed function or a pydantic model describes.

        Args:
            source: A function whose parameters have type hints, or a pydantic model whose fields are the parameters.
            name: How the model calls it; "" takes the function's own name, or the model's.
            description: What it does; "" takes the docstring.

        Raises:
            InvalidRequestError: a parameter has no type hint, or one that no JSON schema can say; the tool is named.
        """
        told_name = name or source.__name__
        about = description or inspect.cleandoc(source.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        made = getattr(source, "model_json_schema", None)
        return cls(told_name, about, made() if made is not None else _parameters(source, told_name))


def _parameters(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """Return the JSON schema of a function's parameters, by pydantic, which is imported only here."""
    import pydantic

    from faultmaven.domain.errors import InvalidRequestError  # errors hold responses, and responses hold tool calls

    hints = inspect.get_annotations(function)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidRequestError(f"the parameter {parameter.name!r} of the tool {name!r} cannot be given by name")
        if parameter.name not in hints:
            raise InvalidRequestError(f"the parameter {parameter.name!r} of the tool {name!r} has no type hint")
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(cast("Any", function))
        schema = adapter.json_schema()
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation) as error:
        raise InvalidRequestError(f"no JSON schema can say the parameters of the tool {name!r}") from error
    return schema


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for.

    Attributes:
        id: What the result is sent back with, see `Message.tool`.
        arguments: The parsed arguments; empty when `raw_arguments` is no JSON object.
        raw_arguments: The text exactly as the vendor sent it.
        problem: What is wrong with `raw_arguments`, "" when nothing is: a call with a problem must not be carried out.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    raw_arguments: str = field(default="", repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a streamed tool call.

    Attributes:
        index: Which call it belongs to: its place in the response's `tool_calls`, whatever the vendor counted.
        id, name: Said with the first piece of a call, "" afterwards.
        arguments: The next piece of the arguments' JSON text.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = field(default="", repr=False)
