"""Estimates of the number of tokens of a text, without a vocabulary: from kinds of characters, in linear time.

A text is counted as bytes of UTF-8, by kind and by runs of a kind, and each count has a weight. The weights are fitted
to real tokenizers: `UPPER_WEIGHTS` so that hardly any text has more tokens, `LOWER_WEIGHTS` so that hardly any text has
far fewer.

Tokens estimated for one token counted, smallest and largest of each set of texts, measured on 2026-11-25 with the
vocabularies that litellm 1.110.2 holds (cl100k and o200k of OpenAI, DeepSeek's, and Anthropic's of 2023):

```text
                       max_tokens_of min_tokens_of
prose                  1.34 - 1.62   0.84 - 0.95
markdown               1.03 - 1.68   0.76 - 1.06
Python                 1.02 - 1.53   0.75 - 1.09
JSON logs              1.11 - 1.24   0.85 - 0.94
syslog                 1.13 - 1.28   0.88 - 1.00
stack traces           1.09 - 2.31   0.71 - 1.07
base64                 1.00 - 1.69   0.35 - 0.56
hex, UUIDs             1.00 - 1.44   0.75 - 1.09
Chinese                1.02 - 1.83   0.58 - 1.03
Japanese, Korean       1.14 - 1.89   0.65 - 1.04
Cyrillic               1.01 - 1.84   0.60 - 1.08
Greek, Arabic, Hebrew  1.20 - 3.31   0.39 - 1.07
accented Latin         0.88 - 2.46   0.53 - 1.09
Thai, Indic, Georgian  0.79 - 3.93   0.23 - 1.08
```
"""

import math
from collections.abc import Iterable, Mapping

_SCRIPTS = {
    "accented": (0xC2, 0xCD),  # Latin letters beyond ASCII
    "cyrillic": (0xD0, 0xD3),
    "two_bytes": (0xCE, 0xCF),  # Greek; Armenian, Hebrew and Arabic are added below
    "three_bytes": (0xE0, 0xE1),  # Indic scripts, Thai, Georgian
    "symbols": (0xE2, 0xE2),
    "kana": (0xE3, 0xE3),  # with the punctuation of Chinese and Japanese
    "han": (0xE4, 0xE9),
    "hangul": (0xEA, 0xED),
    "wide": (0xEE, 0xEF),
    "emoji": (0xF0, 0xF4),
}

UPPER_WEIGHTS: Mapping[str, float] = {
    "words": 1.53,
    "long_runs": 9.0,
    "humps": 1.15,
    "digits": 0.47,
    "numbers": 0.59,
    "marks": 0.57,
    "lines": 0.2,
    "blanks": 0.09,
    "control": 1.0,
    "accented": 2.0,
    "cyrillic": 0.73,
    "two_bytes": 1.7,
    "three_bytes": 2.0,
    "symbols": 1.0,
    "kana": 1.6,
    "han": 1.5,
    "hangul": 1.65,
    "wide": 1.0,
    "emoji": 3.02,
}
LOWER_WEIGHTS: Mapping[str, float] = {
    "words": 0.6,
    "letters": 0.09,
    "digits": 0.05,
    "numbers": 1.28,
    "mark_runs": 0.83,
    "line_runs": 0.4,
    "accented": 0.5,
    "cyrillic": 0.38,
    "two_bytes": 0.46,
    "three_bytes": 0.48,
    "symbols": 0.3,
    "kana": 0.75,
    "han": 0.75,
    "hangul": 0.8,
    "emoji": 1.5,
}
"""Weights by kind, in tokens. `humps` are capitals after small letters; a `long_run` is twelve letters of one word."""

MAX_PER_ASCII, MAX_PER_CHARACTER = 1.53, 3.02
MIN_PER_ASCII, MIN_PER_CHARACTER = 1.33, 1.5
"""The largest weight of one character: a letter that is a word, a digit that is a number, an emoji."""


def _table(*kinds: bytes) -> bytes:
    """Return a translation table from bytes to the number of their kind, counted from 1; 0 for all other bytes."""
    numbers = {byte: number for number, kind in enumerate(kinds, start=1) for byte in kind}
    return bytes(numbers.get(byte, 0) for byte in range(256))


_SMALL, _CAPITAL = b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGIT, _BLANK, _LINE = b"0123456789", b" \t", b"\n\r"
_MARK = bytes(byte for byte in range(33, 127) if not chr(byte).isalnum())
_CONTROL = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n\r")

# One bit for each kind, so that one pass finds the runs of all kinds.
_BITS = {"letters": 1, "digits": 2, "marks": 4, "lines": 8, "blanks": 16, "control": 32}
_RUNS = {"words": 1, "numbers": 2, "mark_runs": 4, "line_runs": 8}
_KIND_TABLE = bytes(
    sum(bit for bit, kind in zip(_BITS.values(), kinds, strict=True) if byte in kind)
    for kinds in [(_SMALL + _CAPITAL, _DIGIT, _MARK, _LINE, _BLANK, _CONTROL)]
    for byte in range(256)
)
_CASE = _table(_SMALL, _CAPITAL)
_SCRIPT_KINDS = {name: bytes(range(first, last + 1)) for name, (first, last) in _SCRIPTS.items()}
_SCRIPT_KINDS["two_bytes"] += bytes(range(0xD4, 0xE0))
_SCRIPT = _table(*_SCRIPT_KINDS.values())


def max_tokens_of(text: str) -> int:
    """Return an estimate that hardly any tokenizer exceeds, for plans and limits."""
    return _weighted_count(text, UPPER_WEIGHTS)


def min_tokens_of(text: str) -> int:
    """Return an estimate that hardly any tokenizer stays far below, to detect a prompt that a vendor truncated."""
    return _weighted_count(text, LOWER_WEIGHTS)


def max_tokens_bound(characters: int, *, is_ascii: bool) -> float:
    """Return an upper bound of `max_tokens_of` for any text of so many characters."""
    return characters * (MAX_PER_ASCII if is_ascii else MAX_PER_CHARACTER) + 1


def min_tokens_bound(characters: int, *, is_ascii: bool) -> float:
    """Return an upper bound of `min_tokens_of` for any text of so many characters."""
    return characters * (MIN_PER_ASCII if is_ascii else MIN_PER_CHARACTER) + 1


def _weighted_count(text: str, weights: Mapping[str, float]) -> int:
    counts = _counts(text, weights)
    return math.ceil(sum(weight * counts.get(kind, 0) for kind, weight in weights.items()))


def _counts(text: str, names: Iterable[str]) -> dict[str, int]:
    """Return the count of each named kind of characters, or of runs of a kind, in `text`.

    Only functions written in C visit every byte: about 5 ms for a megabyte.
    """
    octets = text.encode("utf-8", "replace")  # a lone surrogate has no bytes
    kinds = octets.translate(_KIND_TABLE)
    run_starts = _run_starts(kinds)
    counts = {}
    for kind in names:
        if kind in _BITS:
            counts[kind] = kinds.count(_BITS[kind])
        elif kind in _RUNS:
            counts[kind] = run_starts.count(_RUNS[kind])
        elif kind == "long_runs":
            counts[kind] = kinds.count(b"\1" * 12)
        elif kind == "humps":
            counts[kind] = octets.translate(_CASE).count(b"\1\2")
    if not text.isascii():
        scripts = octets.translate(_SCRIPT)
        counts |= {name: scripts.count(number) for number, name in enumerate(_SCRIPT_KINDS, start=1)}
    return counts


def _run_starts(kinds: bytes) -> bytes:
    """Return `kinds` with only the first byte of each run: its bit is not set in the byte before.

    The whole text is one number: a shift by one byte lays each byte over the next one. Counting pairs of bytes takes
    five times as long.
    """
    number = int.from_bytes(kinds, "little")
    return (number & ~(number << 8)).to_bytes(len(kinds), "little")
