"""Parser for the built HTML pages: links, anchors and loaded resources."""

from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# For each tag, the attribute whose URL a browser loads without a click.
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "prefetch", "modulepreload", "manifest"}


@dataclass
class Page(HTMLParser):
    """A built page. Paths are relative to the root of the site, with slashes."""

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
        """Record the anchors, links and resources of a tag."""
        attributes = {name: value or "" for name, value in attrs}
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "nav":
            self._in_navigation += 1
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
            if self._in_navigation:
                self.navigation.append(attributes["href"])
        if tag in LOADING and attributes.get(LOADING[tag]):
            self.loads.append(attributes[LOADING[tag]])
        if tag == "link" and LOADING_LINKS & set(attributes.get("rel", "").split()):
            self.loads.append(attributes["href"])

    def handle_endtag(self, tag: str) -> None:
        """Track the end of the navigation."""
        if tag == "nav":
            self._in_navigation -= 1


class BuiltSite:
    """The built pages below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pages(self) -> dict[str, Page]:
        """All pages by path."""
        names = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.html"))
        return {name: Page(name, (self.folder / name).read_text("utf-8")) for name in names}

    def target(self, page: Page, link: str) -> tuple[str, str] | None:
        """Return the path and the anchor of the target of `link` on `page`, or None for an external link."""
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
        """Return the links of `page` whose target file or anchor does not exist."""
        targets = ((link, self.target(page, link)) for link in page.links)
        return [link for link, target in targets if target is not None and not self._exists(*target)]

    def _exists(self, path: str, anchor: str) -> bool:
        if not (self.folder / path).is_file() or Path(path).is_absolute():
            return False
        return not anchor or anchor == "__top" or anchor in self.pages[path].anchors
