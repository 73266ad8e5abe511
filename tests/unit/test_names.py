"""The nearest right name."""

import pytest

from faultmaven.domain.names import did_you_mean, nearest

KNOWN = ("openai", "anthropic", "groq", "GEMINI_API_KEY")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("opnai", "openai"), ("OpenAI", "openai"), ("grok", "groq"), ("gemini_api_key", "GEMINI_API_KEY")],
)
def test_a_slip_and_a_wrong_case_lead_to_the_right_name(wrong: str, right: str) -> None:
    assert nearest(wrong, KNOWN) == right
    assert did_you_mean(wrong, KNOWN) == f"; did you mean {right!r}?"


def test_what_is_like_nothing_gets_the_sorted_list() -> None:
    assert nearest("zzz", KNOWN) is None
    assert did_you_mean("zzz", KNOWN) == "; known: GEMINI_API_KEY, anthropic, groq, openai"


def test_an_empty_list_is_said_to_be_empty() -> None:
    assert did_you_mean("openai", ()) == "; known: none"
