"""Token usage: buckets that do not overlap and add up to the billed tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultmaven.domain.usage import Usage

COUNTS = st.none() | st.integers(0, 10**9)


def test_details_are_subtracted_from_totals() -> None:
    """wire/openai-chat.md section 3: cached inside the prompt, reasoning inside the completion."""
    usage = Usage.from_totals(2000, 30, cache_read=1024, cache_write=512, reasoning=20)
    assert usage == Usage(input=464, cache_read=1024, cache_write=512, output=10, reasoning=20)
    assert usage.total == 2030


def test_zero_count_differs_from_unknown_count() -> None:
    """A reported 0 is a known count."""
    assert Usage.from_totals(12, 0, cache_read=0) == Usage(input=12, cache_read=0, output=0)
    assert Usage.from_totals(0, 0).total == 0


@pytest.mark.parametrize("known", [Usage(), Usage(input=12), Usage(output=3), Usage(output=3, reasoning=2)])
def test_one_sided_usage_has_no_total(known: Usage) -> None:
    """A total of one side would look like the total of both."""
    assert known.total is None


def test_detail_above_total_is_cut_to_total() -> None:
    """Contradictory counts of a vendor never make a negative bucket."""
    assert Usage.from_totals(10, 5, cache_read=8, cache_write=8, reasoning=9) == Usage(0, 8, 2, 0, 5)


def test_detail_without_total_stays_known() -> None:
    """There is no total to subtract the detail from."""
    assert Usage.from_totals(None, None, cache_read=4, reasoning=2) == Usage(cache_read=4, reasoning=2)


@given(prompt=st.integers(0, 10**9), answer=st.integers(0, 10**9), read=COUNTS, write=COUNTS, thought=COUNTS)
def test_buckets_add_up_to_billed_tokens(
    prompt: int, answer: int, read: int | None, write: int | None, thought: int | None
) -> None:
    """The sum holds for all details, also for contradictory and missing ones."""
    usage = Usage.from_totals(prompt, answer, cache_read=read, cache_write=write, reasoning=thought)
    assert usage.total == prompt + answer
    assert all(getattr(usage, name) is None or getattr(usage, name) >= 0 for name in usage.__slots__)
    assert (usage.cache_read is None, usage.cache_write is None, usage.reasoning is None) == (
        read is None,
        write is None,
        thought is None,
    )
