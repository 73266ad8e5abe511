"""The messages of a conversation: texts, images, files, tool calls and tool results. `repr` shows no text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

from .attachments import Attachment, File, Image
from .replay import Replay
from .tool_calls import ToolCall

Role = Literal["system", "user", "assistant", "tool"]


Part: TypeAlias = str | Attachment


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. Build a message with `system`, `user`, `assistant` or `tool`, or use
    `response.message`.

    Attributes:
        role: "system", "user", "assistant" or "tool".
        parts: Texts, images and files, in their order.
        tool_calls: The tool calls that the model requests in an assistant message.
        tool_call_id: The id of the tool call whose result a tool message holds.
        error: Whether that tool call failed.
        replay: The message in the format of the vendor that sent it; only `response.message` has a replay.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    error: bool = False
    replay: Replay | None = field(default=None, repr=False)

    @classmethod
    def system(cls, text: str) -> Self:
        """Return instructions for the whole conversation."""
        return cls("system", (text,))

    @classmethod
    def user(cls, *parts: Part) -> Self:
        """Return a user's message of texts, images and files, in their order."""
        return cls("user", parts)

    @classmethod
    def assistant(cls, text: str = "", *, tool_calls: Sequence[ToolCall] = ()) -> Self:
        """Return an earlier response of the model. Prefer `response.message`, which also has the vendor's `replay`."""
        return cls("assistant", (text,) if text else (), tuple(tool_calls))

    @classmethod
    def tool(cls, call_id: str, *result: Part, error: bool = False) -> Self:
        """Return the result of the tool call `call_id`: text, and images if the provider accepts images in results.

        Args:
            error: Whether the call failed; the text then gives the reason.
        """
        return cls("tool", result, tool_call_id=call_id, error=error)

    @property
    def text(self) -> str:
        """The message's texts, joined."""
        if len(self.parts) == 1 and type(self.parts[0]) is str:
            return self.parts[0]
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The message's images, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def files(self) -> tuple[File, ...]:
        """The message's files, in their order."""
        return tuple(part for part in self.parts if isinstance(part, File))

    def __repr__(self) -> str:
        counts = {"images": len(self.images), "files": len(self.files), "tool calls": len(self.tool_calls)}
        attached = "".join(f", {count} {kind}" for kind, count in counts.items() if count)
        return f"Message({self.role!r}, {len(self.text)} characters{attached})"


Prompt: TypeAlias = str | Sequence[Message]
"""The input of a call: a text, which is one user message, or the messages of a conversation."""


@dataclass(slots=True)
class MessageSummary:
    """Facts about the messages of a request, collected in one pass.

    Not frozen, since a frozen dataclass is slower to create and every request has a summary.

    Attributes:
        attachments: All images and files, in their order.
        has_calls: Whether a message has tool calls or is a tool result.
        has_answers: Whether a message has the role "assistant".
        has_replays: Whether a message has a `replay`.
        characters: The number of characters of all texts.
        is_ascii: Whether all texts are ASCII.
        read: Attachments with their bytes, read or fetched by an earlier attempt; the key is the position of the
            message and of the part.
        tokens: The estimated tokens of the whole prompt, None before the first estimate; see
            `application.planning.requirements`.
    """

    attachments: tuple[Attachment, ...]
    has_calls: bool
    has_answers: bool
    has_replays: bool
    characters: int
    is_ascii: bool
    read: dict[tuple[int, int], Attachment] = field(default_factory=dict, repr=False)
    tokens: int | None = None

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Self:
        """Return the summary of `messages`."""
        attachments: list[Attachment] = []
        has_calls = has_answers = has_replays = False
        characters, is_ascii = 0, True
        for message in messages:
            has_answers = has_answers or message.role == "assistant"
            has_calls = has_calls or message.role == "tool" or bool(message.tool_calls)
            has_replays = has_replays or message.replay is not None
            for part in message.parts:
                if isinstance(part, str):
                    characters += len(part)
                    is_ascii = is_ascii and part.isascii()
                else:
                    attachments.append(part)
        return cls(tuple(attachments), has_calls, has_answers, has_replays, characters, is_ascii)
