"""The pictures and the benchmark tables of the docs show the output, the parts and the figures of today."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from faultmaven import open_container
from faultmaven.parts import Parts
from faultmaven.testing import FakeProvider

from .demo_picture import PICTURE, demo_output, picture, steady
from .pages import ROOT, prose, table

DOCS = ROOT / "docs"
PICTURES = sorted((DOCS / "pictures").glob("*.svg"))
RESULTS = ROOT / "benchmarks" / "results" / "2026-11-25-amd-epyc-2-cores.md"

# Per column of a page's table: the table of the results and its column, counted from 0.
COLUMNS = {
    "CPU per call, us": ("One call at a time", 1),
    "failover, us": ("Failing over: the primary answers 500, retries off", 1),
    "calls per second": ("500 at once", 3),
    "import, ms": ("Starting, memory, size", 1),
    "start, ms": ("Starting, memory, size", 3),
    "memory, MB": ("Starting, memory, size", 4),
    "installed, MB": ("Starting, memory, size", 6),
}


def words(path: Path) -> str:
    """Return the text of a picture."""
    root = ElementTree.fromstring(path.read_text("utf-8"))  # noqa: S314 - a file of the repository
    lines = root.iter("{http://www.w3.org/2000/svg}text")
    return "\n".join("".join(line.itertext()) for line in lines)


def test_demo_picture_shows_the_output_of_the_demo() -> None:
    # After a change of the output: python -m tests.docs.demo_picture
    assert steady(PICTURE.read_text("utf-8")) == steady(picture(demo_output()))


def test_container_picture_names_every_part() -> None:
    shown = set(words(DOCS / "pictures" / "container.svg").splitlines())
    assert set(Parts.__annotations__) <= shown


async def test_deadline_picture_shows_the_planned_shares() -> None:
    providers = {name: FakeProvider(name=name, models=["m"]) for name in "abc"}
    async with open_container(providers=providers) as container:
        plan = str(container.explain("ping", deadline=60))
    shown = words(DOCS / "pictures" / "deadline.svg")
    assert plan.splitlines()[0] in shown
    for name, share in re.findall(r"(\w) \(m\): (share \d+ s)", plan):
        assert f"{name}: {share}" in shown


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_picture_is_readable_and_self_contained(path: Path) -> None:
    text = path.read_text("utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314 - a file of the repository
    assert root.get("viewBox", "").split()[2] in ("360", "363"), "about the width of a phone's column"
    assert min(map(int, re.findall(r"(\d+)px", text))) >= 13
    assert "prefers-color-scheme: dark" in text
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|@import|@font-face", text)


@pytest.mark.parametrize("page", [DOCS / "index.md", DOCS / "performance.md"], ids=lambda page: page.name)
def test_peer_table_has_the_measured_figures(page: Path) -> None:
    section = prose(page).partition("## Beside other libraries\n")[2]
    header = next(line for line in section.splitlines() if line.startswith("|"))
    columns = [cell.strip() for cell in header.strip("|").split("|")][1:]
    results = {title: {row[0].strip("*"): row for row in table(RESULTS, title)} for title, _ in COLUMNS.values()}
    for client, *figures in table(page, "Beside other libraries"):
        for column, figure in zip(columns, figures, strict=True):
            title, place = COLUMNS[column]
            name = client.strip("*")
            row = results[title][name]
            assert figure.strip("*") == row[place], (client, column)
