"""Types that keep keys, vendors' error texts and environments out of `repr`."""

from collections.abc import Iterator, Mapping


class HiddenText(str):
    """A string whose `repr` is `'***'`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class HiddenMapping(Mapping[str, str]):
    """A view of a mapping whose `repr` shows only the number of variables.

    A traceback that prints local variables then shows no value.
    """

    __slots__ = ("_inner",)

    def __init__(self, inner: Mapping[str, str]) -> None:
        self._inner = inner

    def __getitem__(self, name: str) -> str:
        return self._inner[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)

    def __repr__(self) -> str:
        return f"<{len(self._inner)} variables>"
