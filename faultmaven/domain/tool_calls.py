"""Tool calls that a model asks for, whole and in pieces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for.

    Attributes:
        id: What the result is sent back with, see `Message.tool`.
        name: The tool's name.
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
        id: Said with the first piece of a call, "" afterwards.
        name: Likewise.
        arguments: The next piece of the arguments' JSON text.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = field(default="", repr=False)
