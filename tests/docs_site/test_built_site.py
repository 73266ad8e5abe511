"""The built pages: links and anchors, navigation, nothing from elsewhere, every public name."""

import re
from pathlib import Path

import pytest

import faultmaven
from faultmaven import testing
from faultmaven.infrastructure.llm import providers

from .built_site import BuiltSite
from .conftest import ROOT, build, copy_source

PUBLIC = {f"{module.__name__}.{name}" for module in (faultmaven, testing, providers) for name in module.__all__}
PUBLIC -= {f"{providers.__name__}.LLMResponse"}  # the guide's second name for it


def test_every_link_and_anchor_of_the_site_leads_somewhere(site: BuiltSite) -> None:
    broken = {page.name: found for page in site.pages.values() if (found := site.broken_links(page))}
    assert broken == {}


def test_every_page_is_built_and_in_the_navigation(site: BuiltSite) -> None:
    home = site.pages["index.html"]
    reachable = {target[0] for link in home.navigation if (target := site.target(home, link))}
    sources = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    assert sources == {name for name in site.pages if name != "404.html"}
    assert sources - reachable == set()


def test_nothing_is_loaded_from_elsewhere(site: BuiltSite) -> None:
    elsewhere = {
        page.name: found
        for page in site.pages.values()
        if (found := [each for each in page.loads if each.startswith(("http:", "https:", "//"))])
    }
    assert elsewhere == {}
    for style in site.folder.rglob("*.css"):
        fetched = re.findall(r"(?:@import\s*|url\()[\"']?((?:https?:)?//[^\"')]+)", style.read_text("utf-8"))
        assert fetched == [], style.name


def test_every_public_name_is_in_the_reference(site: BuiltSite) -> None:
    # A missing name is added to a page of docs/reference/ as `::: its.path`.
    anchors = {anchor for page in site.pages.values() if page.name.startswith("reference/") for anchor in page.anchors}
    assert PUBLIC - anchors == set()


def test_what_is_for_tests_and_tools_alone_does_not_show(site: BuiltSite) -> None:
    for page in site.pages.values():
        visible = re.sub(r"<!--.*?-->|<[^>]+>", "", page.text, flags=re.DOTALL)
        assert not re.search(r"^\s*:::|docs: (?:file|output|lab|schema|fresh)\b", visible, re.MULTILINE), page.name
        # A docstring whose first line is "Args:" is not read as a section: begin it with a sentence.
        assert not re.search(r"^\s*Args:", visible, re.MULTILINE), page.name


def test_the_search_index_lies_beside_the_pages_and_knows_them(site: BuiltSite) -> None:
    index = (site.folder / "search.js").read_text("utf-8")  # a script: a page opened from a disk may fetch nothing
    for words in ("open_container", "CircuitOpenError", "LLM_FALLBACK_CHAIN", "run_in_virtual_time"):
        assert words in index


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("[x](nowhere.md)", "page does not exist"),
        ("[x](errors.md#nowhere)", "anchor does not exist"),
        ("[x][faultmaven.Nowhere]", "unresolved"),
        ("::: faultmaven.Nowhere", "could not be found"),
    ],
)
def test_a_build_with_a_mistake_fails(tmp_path: Path, wrong: str, told: str) -> None:
    source = copy_source(tmp_path)
    for page in (source / "docs" / "reference").glob("*.md"):
        page.write_text("# Nothing\n", "utf-8")  # reading every docstring takes most of a build
    (source / "docs" / "index.md").write_text(f"# Home\n\n{wrong}\n", "utf-8")
    done = build(source)
    assert done.returncode != 0
    assert told in done.stdout


def test_the_check_of_the_built_pages_finds_what_the_build_lets_through(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1>', "utf-8")
    right = ["b.html", "b.html#there", "https://example.com/x", "#own"]
    wrong = ["b.html#gone", "c.html", "../.env.example", "#gone"]
    links = "".join(f'<a href="{link}">x</a>' for link in right + wrong)
    (tmp_path / "a.html").write_text(f'<p id="own">{links}</p>', "utf-8")
    site = BuiltSite(tmp_path)
    assert site.broken_links(site.pages["a.html"]) == wrong
