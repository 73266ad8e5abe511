"""Tests for the text of the pages: links, languages of blocks, the README and the changelog."""

import re
from pathlib import Path

import pytest

import faultmaven

from .pages import PAGES, ROOT, anchors, blocks, links

README = ROOT / "README.md"
DOCS = ROOT / "docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_exists(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        assert ":" not in link, f"{page.name}: {link} is neither relative nor https"
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_headings_of_page_have_unique_anchors(page: Path) -> None:
    if page.name != "CHANGELOG.md":
        assert len(set(anchors(page))) == len(anchors(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_declares_a_language(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("python", "bash", "env", "toml", "text"), block.where


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_docs_links_stay_inside_docs(page: Path) -> None:
    # The site contains docs/ only: name other files of the repository in back quotes, without a link.
    if page.is_relative_to(DOCS):
        outside = [link for link in linked_pages(page) if not link.is_relative_to(DOCS)]
        assert outside == []


@pytest.mark.parametrize("start", [README, DOCS / "index.md"], ids=["repository", "site"])
def test_every_page_is_reachable_by_links(start: Path) -> None:
    expected = {page for page in PAGES if page.is_relative_to(DOCS) and page != DOCS / "index.md"}
    reached, pending = set(), [start]
    while pending:
        page = pending.pop()
        reached.add(page)
        pending += [link for link in linked_pages(page) if link in expected - reached]
    assert expected - reached == set()


def linked_pages(page: Path) -> list[Path]:
    """Return the files that a page links to."""
    paths = (link.partition("#")[0] for link in links(page) if not link.startswith("https://"))
    return [(page.parent / path).resolve() for path in paths if path]


def test_readme_shows_the_two_commands() -> None:
    commands = [block.text.strip() for block in blocks(README) if block.language == "bash"]
    assert commands == ['pip install ".[cli]" && faultmaven demo', "pip install tox && tox"]


def test_changelog_has_unreleased_and_current_version() -> None:
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert faultmaven.__version__ in versions


def test_readme_code_block_is_short() -> None:
    first = next(block for block in blocks(README) if block.language == "python")
    assert 15 <= len(first.text.splitlines()) <= 25
