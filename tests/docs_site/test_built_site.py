"""Tests for the built site: links, anchors, navigation, no external resources, and every public name."""

import re
from pathlib import Path

import pytest

import faultmaven
from faultmaven import testing
from faultmaven.infrastructure.llm import providers

from .built_site import BuiltSite
from .conftest import ROOT, build, copy_source

PUBLIC = {f"{module.__name__}.{name}" for module in (faultmaven, testing, providers) for name in module.__all__}
PUBLIC -= {f"{providers.__name__}.LLMResponse"}  # the guide's alias of `faultmaven.LLMResponse`


def test_every_link_and_anchor_exists(site: BuiltSite) -> None:
    broken = {page.name: urls for page in site.pages.values() if (urls := site.broken_links(page))}
    assert broken == {}


def test_every_page_is_in_the_navigation(site: BuiltSite) -> None:
    home = site.pages["index.html"]
    reachable = {target[0] for link in home.navigation if (target := site.target(home, link))}
    sources = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert sources == {name for name in site.pages if name != "404.html"}
    assert sources - reachable == set()


def test_pages_load_no_external_resources(site: BuiltSite) -> None:
    external = {
        page.name: urls
        for page in site.pages.values()
        if (urls := [each for each in page.loads if each.startswith(("http:", "https:", "//"))])
    }
    assert external == {}
    for style in site.folder.rglob("*.css"):
        fetched = re.findall(r"(?:@import\s*|url\()[\"']?((?:https?:)?//[^\"')]+)", style.read_text("utf-8"))
        assert fetched == [], style.name


def test_every_public_name_is_in_the_reference(site: BuiltSite) -> None:
    # A missing name is added to a page of docs/reference/ as `::: package.Name`.
    anchors = {anchor for page in site.pages.values() if page.name.startswith("reference/") for anchor in page.anchors}
    assert PUBLIC - anchors == set()


def test_directives_are_invisible_on_the_pages(site: BuiltSite) -> None:
    for page in site.pages.values():
        visible = re.sub(r"<!--.*?-->|<[^>]+>", "", page.text, flags=re.DOTALL)
        assert not re.search(r"^\s*:::|docs: (?:file|output|lab|schema|fresh)\b", visible, re.MULTILINE), page.name
        # "Args:" on the first line of a docstring is not parsed as a section: begin with a sentence.
        assert not re.search(r"^\s*Args:", visible, re.MULTILINE), page.name


def test_search_index_contains_the_pages(site: BuiltSite) -> None:
    index = (site.folder / "search.js").read_text(
        "utf-8"
    )  # a script, since a page opened from a disk must not fetch data
    for words in ("open_container", "CircuitOpenError", "LLM_FALLBACK_CHAIN", "run_in_virtual_time"):
        assert words in index


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("[x](nowhere.md)", "page does not exist"),
        ("[x](errors.md#nowhere)", "anchor does not exist"),
        ("[x][faultmaven.Nowhere]", "unresolved"),
        ("::: faultmaven.Nowhere", "could not be found"),
    ],
)
def test_build_with_broken_reference_fails(tmp_path: Path, wrong: str, message: str) -> None:
    source = copy_source(tmp_path)
    for page in (source / "docs" / "reference").glob("*.md"):
        page.write_text("# Nothing\n", "utf-8")  # parsing all docstrings takes most of the build time
    (source / "docs" / "index.md").write_text(f"# Home\n\n{wrong}\n", "utf-8")
    process = build(source)
    assert process.returncode != 0
    assert message in process.stdout


def test_broken_links_finds_missing_targets(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1>', "utf-8")
    right = ["b.html", "b.html#there", "https://example.com/x", "#own"]
    wrong = ["b.html#gone", "c.html", "../.env.example", "#gone"]
    links = "".join(f'<a href="{link}">x</a>' for link in right + wrong)
    (tmp_path / "a.html").write_text(f'<p id="own">{links}</p>', "utf-8")
    site = BuiltSite(tmp_path)
    assert site.broken_links(site.pages["a.html"]) == wrong
