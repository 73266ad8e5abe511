"""Streams fed to their parsers, as the provider feeds them, and put together as a caller would."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from faultmaven.domain.errors import LLMError
from faultmaven.domain.responses import StreamChunk
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser

CUTS = st.lists(st.integers(0, 10**6), max_size=12)


def read_stream(parser: StreamParser, blocks: Iterable[bytes]) -> tuple[list[StreamChunk], Answer]:
    """Return the chunks of a stream, and its answer."""
    chunks = [chunk for block in blocks for chunk in parser.feed(block)]
    chunks += parser.rest()
    return chunks, parser.close()


def failure_of(parser: StreamParser, blocks: Iterable[bytes]) -> LLMError:
    """Return the error that ends a stream."""
    with pytest.raises(LLMError) as caught:
        read_stream(parser, [*blocks, b""])
    return caught.value


def joined(chunks: list[StreamChunk]) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Return the text, the reasoning, and id, name and arguments of each call."""
    calls: dict[int, tuple[str, str, str]] = {}
    for delta in (chunk.tool_call for chunk in chunks if chunk.tool_call):
        told = calls.get(delta.index, ("", "", ""))
        calls[delta.index] = (told[0] + delta.id, told[1] + delta.name, told[2] + delta.arguments)
    text = "".join(chunk.text or "" for chunk in chunks)
    return text, "".join(chunk.reasoning or "" for chunk in chunks), [calls[place] for place in sorted(calls)]


def calls_of(answer: Answer) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of each call of an answer."""
    return [(call.id, call.name, call.raw_arguments) for call in answer.tool_calls]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the bytes, cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]
