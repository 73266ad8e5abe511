"""Token estimates against counts of real tokenizers (tests/samples/tokens.json), and the truncation alarm."""

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
    MIN_TRUNCATED_TOKENS,
    looks_truncated,
    prompt_tokens,
)
from faultmaven.application.planning.token_estimate import max_tokens_of, min_tokens_of
from faultmaven.domain.attachments import File, Image
from faultmaven.domain.messages import Message
from faultmaven.domain.requests import ChatRequest
from faultmaven.domain.tool_calls import ToolCall
from faultmaven.domain.tools import Tool
from faultmaven.domain.usage import Usage

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "samples" / "tokens.json").read_text("utf-8"))[
    "texts"
]
SAMPLE_KINDS = [sample["kind"] for sample in SAMPLES]
ALARM_KINDS = ("prose", "json log", "syslog", "stack trace")


def repeated_request(sample: dict[str, Any]) -> tuple[ChatRequest, list[int]]:
    """Return a prompt that repeats the sample, and the approximate token count of each vocabulary."""
    copies = 40
    return ChatRequest((Message.user("\n".join([sample["text"]] * copies)),)), [n * copies for n in sample["tokens"]]


@pytest.mark.parametrize("sample", SAMPLES, ids=SAMPLE_KINDS)
def test_upper_estimate_bounds_real_token_counts(sample: dict[str, Any]) -> None:
    upper, counted = max_tokens_of(sample["text"]), sample["tokens"]
    assert upper >= 0.95 * max(counted)
    assert upper <= 2.5 * max(counted)


@pytest.mark.parametrize("sample", SAMPLES, ids=SAMPLE_KINDS)
def test_lower_estimate_hardly_exceeds_real_token_counts(sample: dict[str, Any]) -> None:
    assert min_tokens_of(sample["text"]) <= 1.15 * min(sample["tokens"])


@pytest.mark.parametrize("sample", SAMPLES, ids=SAMPLE_KINDS)
def test_real_token_counts_raise_no_alarm(sample: dict[str, Any]) -> None:
    request, counted = repeated_request(sample)
    assert not any(looks_truncated(request, Usage(input=tokens)) for tokens in counted)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s["kind"] in ALARM_KINDS], ids=lambda sample: sample["kind"])
def test_half_the_token_count_raises_alarm(sample: dict[str, Any]) -> None:
    request, counted = repeated_request(sample)
    assert all(looks_truncated(request, Usage(input=tokens // 2)) for tokens in counted)


def test_cached_tokens_count_as_input() -> None:
    request = ChatRequest((Message.user("word " * 4000),))
    assert looks_truncated(request, Usage(input=100))
    assert not looks_truncated(request, Usage(input=100, cache_read=3900))
    assert not looks_truncated(request, Usage(input=100, cache_write=3900))


@pytest.mark.parametrize("usage", [None, Usage(), Usage(output=5), Usage(cache_read=5)])
def test_missing_input_count_raises_no_alarm(usage: Usage | None) -> None:
    assert not looks_truncated(ChatRequest((Message.user("word " * 4000),)), usage)


def test_short_prompt_raises_no_alarm() -> None:
    text = "word " * 600
    assert min_tokens_of(text) < MIN_TRUNCATED_TOKENS * 1.5
    short = ChatRequest((Message.user("word " * 400),))
    assert not looks_truncated(short, Usage(input=1))


def test_images_and_tools_raise_no_alarm() -> None:
    tool = Tool("t", "word " * 9000)
    request = ChatRequest((Message.user("What?", *[Image.from_bytes(b"x", "image/png")] * 50),), tools=(tool,))
    assert not looks_truncated(request, Usage(input=90))


class Answer(BaseModel):
    """An answer with a long name for its only field."""

    the_only_field_of_this_answer: str


def test_prompt_estimate_counts_every_request_part() -> None:
    plain = ChatRequest((Message.user("Hi"),))
    base = prompt_tokens(plain)
    assert base == max_tokens_of("Hi") + MESSAGE_TOKENS
    call = ToolCall("c", "look_up", {"query": "everything about it"})
    for larger in (
        ChatRequest((Message.user("Hi", Image.from_bytes(b"x")),)),
        ChatRequest((Message.user("Hi", File.from_path("a.pdf")),)),
        ChatRequest((Message.user("Hi"),), tools=(Tool("look_up", "Looks it up.", {"type": "object"}),)),
        ChatRequest((Message.user("Hi"),), response_format=Answer),
        ChatRequest((Message.user("Hi"),), response_format={"type": "object", "required": ["everything"]}),
        ChatRequest((Message.user("Hi"), Message.assistant(tool_calls=[call]))),
    ):
        assert prompt_tokens(larger) > base + MESSAGE_TOKENS
    assert prompt_tokens(ChatRequest((Message.user("Hi", Image.from_bytes(b"x")),))) == base + IMAGE_TOKENS
    large_file = File.from_bytes(b"%PDF-" * 200_000, "application/pdf")
    assert prompt_tokens(ChatRequest((Message.user("Hi", large_file),))) > base + FILE_TOKENS


@pytest.mark.parametrize("text", ["a", "0", " ", "\n", "-", "\x00", "é", "漢", "😀", "aA", "a1", "a b", "\ud800"])
def test_ten_million_characters_are_estimated_quickly(text: str) -> None:
    started = time.process_time()  # CPU time, which other processes do not lengthen
    max_tokens_of(text * (10_000_000 // len(text)))
    assert time.process_time() - started < 10  # under 1 s on a slow machine; a backtracking pattern would take hours


@given(st.text(st.characters(), max_size=300))
def test_estimates_of_any_text_keep_order(text: str) -> None:
    assert 0 <= min_tokens_of(text) <= max_tokens_of(text) + 1
    assert (max_tokens_of(text) == 0) == (text == "")


@given(st.text(max_size=100), st.text(max_size=100))
def test_longer_text_has_no_fewer_tokens(first: str, second: str) -> None:
    assert max_tokens_of(first + "\n" + second) >= max(max_tokens_of(first), max_tokens_of(second))
