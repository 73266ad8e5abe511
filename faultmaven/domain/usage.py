"""Token counts in buckets that do not overlap."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one response. The buckets are disjoint: their sum is the vendor's total.

    None means that the vendor reported no number. An unknown number is never 0.

    Attributes:
        input: Prompt tokens that were neither read from nor written to a prompt cache.
        cache_read: Prompt tokens read from a cache.
        cache_write: Prompt tokens written to a cache.
        output: Tokens of the visible response.
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
        """Split a vendor's totals, which include the details, into disjoint buckets.

        A detail larger than its total is reduced to the total, so that the buckets always add up to the billed tokens.
        """
        remaining, cache_read = _take(input_total, cache_read)
        remaining, cache_write = _take(remaining, cache_write)
        visible, reasoning = _take(output_total, reasoning)
        return cls(remaining, cache_read, cache_write, visible, reasoning)

    @property
    def total(self) -> int | None:
        """All tokens; None if the vendor counted only input or only output, since half a total would look complete."""
        if self.input is None or self.output is None:
            return None
        return self.input + self.output + (self.cache_read or 0) + (self.cache_write or 0) + (self.reasoning or 0)


def _take(total: int | None, part: int | None) -> tuple[int | None, int | None]:
    """Return `total` without `part`, and `part`, which is at most `total`. An unknown number changes neither."""
    if total is None or part is None:
        return total, part
    part = min(part, total)
    return total - part, part
