"""A page as a reader of HTML sees it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

NASTY = '<script>alert("1")</script> & $a_b$ \u6f22'


class Reader(HTMLParser):
    """Collects ids, references and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def stands_alone(page: str) -> bool:
    """Say whether ids are unique, every reference has its target, and nothing is loaded from elsewhere."""
    reader = Reader(page)
    own = [link[1:] for link in reader.links if link.startswith("#")]
    pictures = [link for link in reader.links if link.startswith("data:image/png;base64,")]
    targets = {*own, *re.findall(r"url\(#([^)]+)\)", page)}
    return (
        len(reader.ids) == len(set(reader.ids))
        and targets <= set(reader.ids)
        and len(own) + len(pictures) == len(reader.links)
        and not {"script", "link", "img", "iframe"} & set(reader.tags)
        and not re.search(r"https?:|@import", page)
    )
