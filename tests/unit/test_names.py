"""Tests for suggestions of the nearest known name."""

import pytest

from faultmaven.domain.names import did_you_mean, nearest

KNOWN = ("openai", "anthropic", "groq", "GEMINI_API_KEY")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("opnai", "openai"), ("OpenAI", "openai"), ("grok", "groq"), ("gemini_api_key", "GEMINI_API_KEY")],
)
def test_misspelt_name_suggests_nearest_known_name(wrong: str, right: str) -> None:
    assert nearest(wrong, KNOWN) == right
    assert did_you_mean(wrong, KNOWN) == f"; did you mean {right!r}?"


def test_unlike_name_gets_sorted_known_names() -> None:
    assert nearest("zzz", KNOWN) is None
    assert did_you_mean("zzz", KNOWN) == "; known: GEMINI_API_KEY, anthropic, groq, openai"


def test_empty_list_of_names_is_reported() -> None:
    assert did_you_mean("openai", ()) == "; known: none"
