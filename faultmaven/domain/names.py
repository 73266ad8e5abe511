"""The nearest right name for a wrong one, said the same way everywhere."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None when none is alike."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or, when nothing is alike, the whole list of known names."""
    names = sorted(known)
    match = nearest(name, names)
    return f"; did you mean {match!r}?" if match else f"; known: {', '.join(names) or 'none'}"
