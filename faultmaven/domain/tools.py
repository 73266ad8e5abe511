"""Functions that a model may call, and the calls it asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


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
        raise NotImplementedError


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
