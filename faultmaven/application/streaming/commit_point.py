"""The commit point of a stream: until it, another provider may take over unseen."""

import re

from ...domain.responses import StreamChunk

FIRST_TOKEN = "first_token"  # noqa: S105 - a token of text, not a secret
COMMIT_POINTS = ("none", FIRST_TOKEN, "sentence", "whole")

# A full stop, and white space behind it; the full stops of Chinese and Japanese need none. Or an empty line.
_SENTENCE_END = re.compile(r"[.!?\u2026]['\")\]]*\s|[\u3002\uff01\uff1f]|\n\s*\n")
_LONGEST_END = 8


class CommitPoint:
    """Tells when so much of an answer is there that the caller gets it."""

    def __init__(self, wanted: str | int | None) -> None:
        """Args:
        wanted: As in `Options.commit`; None is "first_token".
        """
        self._wanted = FIRST_TOKEN if wanted is None else wanted
        self._text = ""

    @property
    def is_at_the_beginning(self) -> bool:
        """Whether a reply that begins is enough."""
        return self._wanted == "none"

    def is_reached_by(self, chunk: StreamChunk) -> bool:
        """Return whether it is reached with `chunk`; usage alone reaches none."""
        if self._wanted == FIRST_TOKEN:
            return bool(chunk.text or chunk.reasoning or chunk.tool_call)
        if not chunk.text or self._wanted == "whole":
            return False
        before = len(self._text)
        self._text += chunk.text
        if isinstance(self._wanted, int):
            return len(self._text) >= self._wanted
        return _SENTENCE_END.search(self._text, max(0, before - _LONGEST_END)) is not None
