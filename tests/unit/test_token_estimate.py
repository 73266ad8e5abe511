"""Estimates against counts of real tokenizers (tests/samples/tokens.json), and the alarm of a cut prompt."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from faultmaven.application.planning.requirements import (
    FILE_TOKENS,
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    SHORTEST_ALARM_TOKENS,
    looks_truncated,
    prompt_tokens,
)
from faultmaven.application.planning.token_estimate import least_tokens, most_tokens
from faultmaven.domain.attachments import File, Image
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.domain.usage import Usage

TEXTS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "samples" / "tokens.json").read_text("utf-8"))[
    "texts"
]
KINDS = [sample["kind"] for sample in TEXTS]
ALARMED = ("prose", "json log", "syslog", "stack trace")


def long_request(sample: dict[str, Any]) -> tuple[ChatRequest, list[int]]:
    """Return a prompt of many such texts, and about how many tokens each vocabulary counts in it."""
    times = 40
    return ChatRequest((Message.user("\n".join([sample["text"]] * times)),)), [n * times for n in sample["tokens"]]


@pytest.mark.parametrize("sample", TEXTS, ids=KINDS)
def test_most_is_not_below_what_tokenizers_count_and_not_far_above(sample: dict[str, Any]) -> None:
    most, counted = most_tokens(sample["text"]), sample["tokens"]
    assert most >= 0.95 * max(counted)
    assert most <= 2.5 * max(counted)


@pytest.mark.parametrize("sample", TEXTS, ids=KINDS)
def test_least_is_hardly_above_what_tokenizers_count(sample: dict[str, Any]) -> None:
    assert least_tokens(sample["text"]) <= 1.15 * min(sample["tokens"])


@pytest.mark.parametrize("sample", TEXTS, ids=KINDS)
def test_no_alarm_at_what_tokenizers_count(sample: dict[str, Any]) -> None:
    request, counted = long_request(sample)
    assert not any(looks_truncated(request, Usage(input=tokens)) for tokens in counted)


@pytest.mark.parametrize("sample", [s for s in TEXTS if s["kind"] in ALARMED], ids=lambda sample: sample["kind"])
def test_an_alarm_where_half_was_counted(sample: dict[str, Any]) -> None:
    request, counted = long_request(sample)
    assert all(looks_truncated(request, Usage(input=tokens // 2)) for tokens in counted)


def test_cached_tokens_of_input_are_input() -> None:
    request = ChatRequest((Message.user("word " * 4000),))
    assert looks_truncated(request, Usage(input=100))
    assert not looks_truncated(request, Usage(input=100, cache_read=3900))
    assert not looks_truncated(request, Usage(input=100, cache_write=3900))


@pytest.mark.parametrize("usage", [None, Usage(), Usage(output=5), Usage(cache_read=5)])
def test_a_vendor_that_does_not_count_raises_no_alarm(usage: Usage | None) -> None:
    assert not looks_truncated(ChatRequest((Message.user("word " * 4000),)), usage)


def test_a_short_prompt_raises_no_alarm() -> None:
    text = "word " * 600
    assert least_tokens(text) < SHORTEST_ALARM_TOKENS * 1.5
    short = ChatRequest((Message.user("word " * 400),))
    assert not looks_truncated(short, Usage(input=1))


def test_images_and_tools_raise_no_alarm() -> None:
    tool = Tool("t", "word " * 9000)
    request = ChatRequest((Message.user("What?", *[Image.from_bytes(b"x", "image/png")] * 50),), tools=(tool,))
    assert not looks_truncated(request, Usage(input=90))


class Answer(BaseModel):
    """An answer with a long name for its only field."""

    the_only_field_of_this_answer: str


def test_everything_of_a_request_counts() -> None:
    plain = ChatRequest((Message.user("Hi"),))
    base = prompt_tokens(plain)
    assert base == most_tokens("Hi") + MESSAGE_TOKENS
    call = ToolCall("c", "look_up", {"query": "everything about it"})
    for more in (
        ChatRequest((Message.user("Hi", Image.from_bytes(b"x")),)),
        ChatRequest((Message.user("Hi", File.from_path("a.pdf")),)),
        ChatRequest((Message.user("Hi"),), tools=(Tool("look_up", "Looks it up.", {"type": "object"}),)),
        ChatRequest((Message.user("Hi"),), response_format=Answer),
        ChatRequest((Message.user("Hi"),), response_format={"type": "object", "required": ["everything"]}),
        ChatRequest((Message.user("Hi"), Message.assistant(tool_calls=[call]))),
    ):
        assert prompt_tokens(more) > base + MESSAGE_TOKENS
    assert prompt_tokens(ChatRequest((Message.user("Hi", Image.from_bytes(b"x")),))) == base + IMAGE_TOKENS
    big = File.from_bytes(b"%PDF-" * 200_000, "application/pdf")
    assert prompt_tokens(ChatRequest((Message.user("Hi", big),))) > base + FILE_TOKENS


@pytest.mark.parametrize("text", ["a", "0", " ", "\n", "-", "\x00", "é", "漢", "😀", "aA", "a1", "a b", "\ud800"])
def test_ten_million_characters_take_no_longer_than_ten_times_a_million(text: str) -> None:
    began = time.perf_counter()
    most_tokens(text * (10_000_000 // len(text)))
    assert time.perf_counter() - began < 10  # under 1 s on a slow machine; backtracking would take hours


@given(st.text(st.characters(), max_size=300))
def test_any_text_has_an_estimate_and_the_two_keep_their_order(text: str) -> None:
    assert 0 <= least_tokens(text) <= most_tokens(text) + 1
    assert (most_tokens(text) == 0) == (text == "")


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_longer_text_has_no_fewer_tokens(one: str, other: str) -> None:
    assert most_tokens(one + "\n" + other) >= max(most_tokens(one), most_tokens(other))
