"""Suggestions of a known name for a misspelt one, in the same words for every message."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`, None if none is similar."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or the list of all known names if none is similar."""
    names = sorted(known)
    match = nearest(name, names)
    return f"; did you mean {match!r}?" if match else f"; known: {', '.join(names) or 'none'}"
