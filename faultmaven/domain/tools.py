"""Functions that a model may call, and the calls it asks for."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: How the model calls it.
        description: What it does, for the model to read.
        parameters: A JSON schema of an object, whose properties are the arguments.
    """

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
        called = name or getattr(source, "__name__", "")
        if not called or not callable(source):
            raise _refused(
                f"a {type(source).__name__} without a name is no tool", "Pass a function or a pydantic model."
            )
        told = inspect.cleandoc(source.__doc__ or "").partition("\n\n")[0]
        return cls(called, description or " ".join(told.split()), _parameters(source, called))


def _parameters(source: Any, tool: str) -> dict[str, Any]:
    """Return the JSON schema of what `source` takes, by pydantic, which is imported only here."""
    import pydantic

    make_schema = getattr(source, "model_json_schema", None)
    if make_schema is None:
        _check_signature(source, tool)
    try:
        schema: dict[str, Any] = make_schema() if make_schema else pydantic.TypeAdapter(source).json_schema()
    # A name that a hint uses and nobody has defined is a NameError.
    except (pydantic.errors.PydanticUserError, NameError) as error:
        raise _refused(f"no JSON schema can say the parameters of the tool {tool!r}") from error
    return schema


def _check_signature(function: Callable[..., Any], tool: str) -> None:
    """Refuse a parameter that a model cannot give by its name, or of which nobody says what it is."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise _refused(f"the tool {tool!r} does not say which parameters it takes") from error
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise _refused(f"the parameter {parameter.name!r} of the tool {tool!r} cannot be given by name")
        if parameter.annotation is parameter.empty:
            raise _refused(f"the parameter {parameter.name!r} of the tool {tool!r} has no type hint")


def _refused(problem: str, advice: str = "") -> InvalidRequestError:
    return InvalidRequestError(problem, advice=advice)
