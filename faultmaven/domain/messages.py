"""The messages of a conversation: texts, images, files and tool calls. `repr` shows no text."""

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
    """One turn of a conversation. Build it with `system`, `user`, `assistant` or `tool`, or take `response.message`.

    Attributes:
        role: "system", "user", "assistant" or "tool".
        parts: Texts, images and files, in their order.
        tool_calls: What the model asked for, in an assistant turn.
        tool_call_id: The call that a tool turn is the result of.
        error: Whether that call failed.
        replay: The turn in the form of the vendor whose answer it was; only `response.message` has it.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    error: bool = False
    replay: Replay | None = field(default=None, repr=False)

    @classmethod
    def system(cls, text: str) -> Self:
        """Return instructions that stand above the conversation."""
        return cls("system", (text,))

    @classmethod
    def user(cls, *parts: Part) -> Self:
        """Return a user's turn of texts, images and files, in their order."""
        return cls("user", parts)

    @classmethod
    def assistant(cls, text: str = "", *, tool_calls: Sequence[ToolCall] = ()) -> Self:
        """Return an earlier answer of the model; `response.message` also holds what its vendor wants back."""
        return cls("assistant", (text,) if text else (), tuple(tool_calls))

    @classmethod
    def tool(cls, call_id: str, *result: Part, error: bool = False) -> Self:
        """Return the result of the tool call `call_id`: text, and images where the provider takes them there.

        Args:
            error: The call failed, and the text says why.
        """
        return cls("tool", result, tool_call_id=call_id, error=error)

    @property
    def text(self) -> str:
        """The turn's texts, joined."""
        if len(self.parts) == 1 and type(self.parts[0]) is str:
            return self.parts[0]
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The turn's images, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def files(self) -> tuple[File, ...]:
        """The turn's files, in their order."""
        return tuple(part for part in self.parts if isinstance(part, File))

    def __repr__(self) -> str:
        counts = {"images": len(self.images), "files": len(self.files), "tool calls": len(self.tool_calls)}
        told = "".join(f", {count} {what}" for what, count in counts.items() if count)
        return f"Message({self.role!r}, {len(self.text)} characters{told})"


Prompt: TypeAlias = str | Sequence[Message]
"""What is asked: a text, which is one user turn, or the turns of a conversation."""


@dataclass(slots=True)
class MessageSummary:
    """What a conversation holds beside plain text, told by one look at every turn. Unfrozen, since one is made for
    every request.

    Attributes:
        attachments: Its images and files, in their order.
        has_calls: A turn asks for tool calls, or is the result of one.
        has_answers: A turn is the assistant's.
        has_replays: A turn holds what its vendor wants back.
        characters: Of all texts.
        is_ascii: All of them are.
        read: Attachments whose bytes were read or fetched for one attempt, by turn and part; the next attempt has them.
        tokens: About how many tokens the whole prompt has, once it was counted; see `application.needs`.
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
        """Look at `messages`."""
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
