"""Token counts in buckets that do not overlap."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. Buckets are disjoint: their sum is what the vendor counts as the total.

    None means that the vendor did not say; it is never written as 0.

    Attributes:
        input: Prompt tokens that were neither read from nor written to a prompt cache.
        cache_read: Prompt tokens read from a cache.
        cache_write: Prompt tokens written to a cache.
        output: Tokens of the visible answer.
        reasoning: Tokens of hidden or separate reasoning.
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None

    @classmethod
    def from_totals(
        cls,
        input_total: int | None,
        output_total: int | None,
        *,
        cache_read: int | None = None,
        cache_write: int | None = None,
        reasoning: int | None = None,
    ) -> Self:
        """Split a vendor's totals, whose details lie inside them, into disjoint buckets.

        A detail larger than its total is cut to it, so that the buckets always add up to what was billed.
        """
        remaining, cache_read = _take(input_total, cache_read)
        remaining, cache_write = _take(remaining, cache_write)
        visible, reasoning = _take(output_total, reasoning)
        return cls(remaining, cache_read, cache_write, visible, reasoning)

    @property
    def total(self) -> int | None:
        """All tokens, or None when one side of the exchange was not counted: half a total would look like a whole."""
        if self.input is None or self.output is None:
            return None
        return self.input + self.output + (self.cache_read or 0) + (self.cache_write or 0) + (self.reasoning or 0)


def _take(total: int | None, part: int | None) -> tuple[int | None, int | None]:
    """Take `part` out of `total`; an unknown total leaves nothing to take from."""
    if total is None or part is None:
        return total, part
    part = min(part, total)
    return total - part, part
