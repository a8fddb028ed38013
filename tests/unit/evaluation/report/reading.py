"""How a browser would take a page apart, as far as tests ask."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr"}
DRAWN = {"line", "circle", "path", "polyline"}


class Page(HTMLParser):
    """A page's elements in order, its texts, and tags that do not close as they opened."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.crossed, self._open, self._said = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self._said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self._said).split())

    @property
    def tags(self):
        return {tag for tag, _ in self.elements}

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]
