"""Feed blocks of bytes to stream parsers as a provider does, and join the chunks as a caller would."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from faultmaven.domain.errors import LLMError
from faultmaven.domain.responses import StreamChunk
from faultmaven.infrastructure.llm.dialects.protocol import Answer, StreamParser

CUT_POSITIONS = st.lists(st.integers(0, 10**6), max_size=12)


def read_stream(parser: StreamParser, blocks: Iterable[bytes]) -> tuple[list[StreamChunk], Answer]:
    """Return the chunks and the answer of a stream."""
    chunks = [chunk for block in blocks for chunk in parser.feed(block)]
    chunks += parser.flush()
    return chunks, parser.close()


def failure_of(parser: StreamParser, blocks: Iterable[bytes]) -> LLMError:
    """Return the error that ends the stream."""
    with pytest.raises(LLMError) as caught:
        read_stream(parser, [*blocks, b""])
    return caught.value


def join_chunks(chunks: list[StreamChunk]) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Return the text, the reasoning, and `(id, name, arguments)` of each tool call."""
    calls: dict[int, tuple[str, str, str]] = {}
    for delta in (chunk.tool_call for chunk in chunks if chunk.tool_call):
        call_id, name, arguments = calls.get(delta.index, ("", "", ""))
        calls[delta.index] = (call_id + delta.id, name + delta.name, arguments + delta.arguments)
    text = "".join(chunk.text or "" for chunk in chunks)
    return text, "".join(chunk.reasoning or "" for chunk in chunks), [calls[index] for index in sorted(calls)]


def call_parts_of(answer: Answer) -> list[tuple[str, str, str]]:
    """Return `(id, name, arguments)` of each tool call of `answer`, with the arguments as raw text."""
    return [(call.id, call.name, call.raw_arguments) for call in answer.tool_calls]


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    """Split `data` at `cuts`, each taken modulo `len(data) + 1`."""
    positions = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(positions)]
