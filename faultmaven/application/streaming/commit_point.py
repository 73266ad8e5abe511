"""The commit point of a stream: up to it, another provider may take over without the caller's notice."""

import re

from ...domain.responses import StreamChunk

FIRST_TOKEN = "first_token"  # noqa: S105 - a token of text, not a secret
COMMIT_POINTS = ("none", FIRST_TOKEN, "sentence", "whole")

# A full stop with white space behind it; the full stops of Chinese and Japanese need none. Or an empty line.
_SENTENCE_END = re.compile(r"[.!?\u2026]['\")\]]*\s|[\u3002\uff01\uff1f]|\n\s*\n")
_MAX_END_CHARACTERS = 8


class CommitPoint:
    """Detects the chunk with which a stream reaches its commit point."""

    def __init__(self, point: str | int | None) -> None:
        """Args:
        point: As in `Options.commit`; None is "first_token".
        """
        self._point = FIRST_TOKEN if point is None else point
        self._text = ""

    @property
    def is_at_the_beginning(self) -> bool:
        """Whether the beginning of a reply is enough, before any chunk."""
        return self._point == "none"

    def is_reached_by(self, chunk: StreamChunk) -> bool:
        """Return whether the stream reaches the point with `chunk`; a chunk of usage alone never does."""
        if self._point == FIRST_TOKEN:
            return bool(chunk.text or chunk.reasoning or chunk.tool_call)
        if not chunk.text or self._point == "whole":
            return False
        before = len(self._text)
        self._text += chunk.text
        if isinstance(self._point, int):
            return len(self._text) >= self._point
        return _SENTENCE_END.search(self._text, max(0, before - _MAX_END_CHARACTERS)) is not None
