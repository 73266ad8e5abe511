"""Parser for Markdown pages: code blocks with directives, tables, links and headings.

A directive is an HTML comment directly above a block, which renderers hide:

- `<!-- docs: file NAME -->` the block is the file NAME, written before the next block runs
- `<!-- docs: schema -->` the block's entries are written into `PROVIDER_SCHEMA` of a copy of the package
- `<!-- docs: lab PROVIDER FAULT... -->` sets the next answers of the lab; may stand alone above another directive
- `<!-- docs: run -->` the block's `faultmaven` commands are run; other commands are only parsed
- `<!-- docs: output -->` the block is the output of the previous block; seconds may differ
- `<!-- docs: fresh -->` forget names and files first
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = (*(ROOT / name for name in _TOP), *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^(?P<marks>```+)(?P<language>\S*)\s*$")
_DIRECTIVE = re.compile(r"^<!-- docs: (?P<text>.+?) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is the number of the first line of text, counted from 1."""

    page: Path
    line: int
    language: str
    text: str
    directives: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Page and line as `path:line`."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def directive(self, name: str) -> str | None:
        """Return the arguments of the directive `name`, or None if the block has no such directive."""
        directives = (text.partition(" ") for text in self.directives)
        return next((rest for first, _, rest in directives if first == name), None)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    result: list[Block] = []
    directives: list[str] = []
    lines = iter(enumerate(page.read_text("utf-8").splitlines(), start=1))
    for _, line in lines:
        if match := _DIRECTIVE.match(line):
            directives.append(match["text"])
        elif match := _FENCE.match(line):
            result.append(_block(page, match, lines, tuple(directives)))
            directives = []
        elif line.strip() and directives:
            raise ValueError(f"{page.name}: the directive {directives[-1]!r} stands above no block")
    return result


def _block(page: Path, fence: re.Match[str], lines: Iterator[tuple[int, str]], directives: tuple[str, ...]) -> Block:
    text: list[str] = []
    first = 0
    for number, line in lines:
        first = first or number
        if line.rstrip() == fence["marks"]:
            return Block(page, first, fence["language"], "".join(f"{part}\n" for part in text), directives)
        text.append(line)
    raise ValueError(f"{page.name}: a fence is not closed")


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^(```+)\S*\n.*?^\1$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> list[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+?)\s*$", prose(page), flags=re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return [re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, images included."""
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page))


def table(page: Path, heading: str) -> list[list[str]]:
    """Return the rows of the first table under `heading` without the header row and without back quotes."""
    section = re.split(rf"^#+ {re.escape(heading)}\s*$", prose(page), flags=re.MULTILINE)
    if len(section) != 2:
        raise ValueError(f"{page.name} has {len(section) - 1} headings {heading!r}")
    match = re.search(r"(^\|.*\|\n)+", section[1], flags=re.MULTILINE)
    if match is None:
        raise ValueError(f"{page.name} has no table under {heading!r}")
    rows = [line.strip().strip("|").split("|") for line in match[0].splitlines()]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows[2:]]


def names_in(cell: str) -> list[str]:
    """Return the comma-separated names of a table's cell."""
    return [name.strip() for name in cell.split(",") if name.strip()]
