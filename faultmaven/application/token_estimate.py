"""How many tokens a text has, about: offline, in linear time.

Tokenizers cut words, numbers, punctuation and scripts differently, so a text is taken apart into runs of one kind, and
each kind has a cost. `most_tokens` is on the side of too many, for planning and limits; `least_tokens` is what an
economical tokenizer counts, for noticing that a vendor counted far fewer than were sent.
"""

import re
from collections.abc import Mapping

# Each alternative takes a run of one kind of characters: no input can make it go back.
_RUNS = re.compile(
    r"(?P<long>[A-Za-z0-9+/]{40,})"
    r"|(?P<word>[A-Za-z]+)"
    r"|(?P<digits>[0-9]+)"
    r"|(?P<space>\s+)"
    r"|(?P<mark>[!-/:-@\[-`{-~\x00-\x08\x0e-\x1b\x7f]+)"
    r"|(?P<latin>[\x80-\u024f]+)"
    r"|(?P<dense>[\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef]+)"  # Chinese, Japanese, Korean
    r"|(?P<other>[^\x00-\u024f\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef]+)"
)
# Of each run: tokens per character, and the fewest and the most for the whole run.
MANY = float("inf")
MOST = {
    "long": (0.80, 1, MANY),
    "word": (0.26, 1, MANY),
    "digits": (0.75, 1, MANY),
    "space": (0.10, 0.1, MANY),
    "mark": (0.75, 1, MANY),
    "latin": (0.70, 1, MANY),
    "dense": (1.30, 1, MANY),
    "other": (0.80, 1, MANY),
}
LEAST = {
    "long": (0.60, 0, MANY),
    "word": (0.13, 1, MANY),
    "digits": (0.34, 0.8, MANY),
    "space": (0.0, 0, MANY),
    "mark": (0.30, 0.75, 2),
    "latin": (0.30, 0, MANY),
    "dense": (0.50, 0, MANY),
    "other": (0.24, 0, MANY),
}
FEW_LETTERS = 12
"""A long run with fewer different characters is no data: "aaaa..." is cheap."""


def most_tokens(text: str) -> int:
    """Return about how many tokens `text` has, rather too many than too few."""
    return _counted(text, MOST)


def least_tokens(text: str) -> int:
    """Return about how many tokens an economical tokenizer makes of `text`."""
    return _counted(text, LEAST)


def _counted(text: str, costs: Mapping[str, tuple[float, float, float]]) -> int:
    total = 0.0
    for run in _RUNS.finditer(text):
        kind = run.lastgroup or "mark"
        per_character, fewest, most = costs[kind]
        if kind == "long" and costs is LEAST and len(set(run[0])) < FEW_LETTERS:
            per_character = 0.0
        total += min(most, max(fewest, per_character * (run.end() - run.start())))
    return int(total) + bool(text)
