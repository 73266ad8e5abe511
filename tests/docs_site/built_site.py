"""Built HTML as values: a page's links, anchors and what it loads."""

from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Where a tag names what a browser fetches by itself; a link to follow is none of these.
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "prefetch", "modulepreload", "manifest"}


@dataclass
class Page(HTMLParser):
    """One page. Paths are relative to the site's root, with slashes."""

    name: str
    text: str = field(repr=False)
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._in_navigation = 0
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "nav":
            self._in_navigation += 1
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
            if self._in_navigation:
                self.navigation.append(given["href"])
        if tag in LOADING and given.get(LOADING[tag]):
            self.loads.append(given[LOADING[tag]])
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").split()):
            self.loads.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        """Note where the navigation ends."""
        if tag == "nav":
            self._in_navigation -= 1


class BuiltSite:
    """The pages below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pages(self) -> dict[str, Page]:
        """Every page by its path."""
        names = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html"))
        return {name: Page(name, (self.folder / name).read_text("utf-8")) for name in names}

    def target(self, page: Page, link: str) -> tuple[str, str] | None:
        """Return the path and the anchor that `link` on `page` leads to, None where it leaves the site."""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return None
        if not parts.path:
            return page.name, unquote(parts.fragment)
        base = self.folder if parts.path.startswith("/") else (self.folder / page.name).parent
        path = (base / unquote(parts.path).lstrip("/")).resolve()
        if path.is_dir():
            path /= "index.html"
        inside = path.is_relative_to(self.folder.resolve())
        return (path.relative_to(self.folder.resolve()).as_posix() if inside else str(path)), unquote(parts.fragment)

    def broken_links(self, page: Page) -> list[str]:
        """Return the links of `page` that lead to no file of the site, or to no anchor of its page."""
        found = ((link, self.target(page, link)) for link in page.links)
        return [link for link, target in found if target is not None and not self._exists(*target)]

    def _exists(self, path: str, anchor: str) -> bool:
        if not (self.folder / path).is_file() or Path(path).is_absolute():
            return False
        return not anchor or anchor == "__top" or anchor in self.pages[path].anchors
