"""Tool calls that a model requests, complete and in streamed pieces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the model requests.

    Attributes:
        id: The id that the result is sent back with, see `Message.tool`.
        name: The tool's name.
        arguments: The parsed arguments; empty when `raw_arguments` is no JSON object.
        raw_arguments: The text exactly as the vendor sent it.
        problem: The fault of `raw_arguments`, "" for none. A call with a problem must not be executed.
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
        index: The position of the call in the response's `tool_calls`, counted from 0; not the vendor's own index.
        id: The id of the call in its first piece, "" in later pieces.
        name: The name of the tool in the first piece of a call, "" in later pieces.
        arguments: The next piece of the arguments' JSON text.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = field(default="", repr=False)
