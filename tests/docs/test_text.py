"""Links lead somewhere, blocks say what they are, and the changelog knows the version."""

import re
from pathlib import Path

import pytest

import faultmaven

from .pages import PAGES, ROOT, anchors, blocks, links

README = ROOT / "README.md"
DOCS = ROOT / "docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        assert ":" not in link, f"{page.name}: {link} is neither relative nor https"
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_two_headings_share_an_anchor(page: Path) -> None:
    if page.name != "CHANGELOG.md":
        assert len(set(anchors(page))) == len(anchors(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_its_language(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("python", "bash", "env", "toml", "text"), block.where


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_of_the_docs_leaves_them(page: Path) -> None:
    # The site holds docs/ alone: name another file of the repository in back quotes, or say what it holds on a page.
    if page.is_relative_to(DOCS):
        outside = [link for link in linked_pages(page) if not link.is_relative_to(DOCS)]
        assert outside == []


@pytest.mark.parametrize("start", [README, DOCS / "index.md"], ids=["the repository", "the site"])
def test_every_page_is_reached_by_links(start: Path) -> None:
    expected = {page for page in PAGES if page.is_relative_to(DOCS) and page != DOCS / "index.md"}
    reached, ahead = set(), [start]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead += [link for link in linked_pages(page) if link in expected - reached]
    assert expected - reached == set()


def linked_pages(page: Path) -> list[Path]:
    """Return the files that a page links to."""
    paths = (link.partition("#")[0] for link in links(page) if not link.startswith("https://"))
    return [(page.parent / path).resolve() for path in paths if path]


def test_the_readme_shows_the_two_commands() -> None:
    commands = [block.text.strip() for block in blocks(README) if block.language == "bash"]
    assert commands == ['pip install ".[cli]" && faultmaven demo', "pip install tox && tox"]


def test_the_changelog_begins_with_unreleased_and_knows_the_version() -> None:
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert faultmaven.__version__ in versions


def test_the_code_block_of_the_readme_is_short() -> None:
    first = next(block for block in blocks(README) if block.language == "python")
    assert 15 <= len(first.text.splitlines()) <= 25
