"""HTML as a tree, searched by the simple selectors that tests need."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"})
_STEP = re.compile(r"([\w-]*)((?:[#.][\w-]+|\[[^\]]+\])*)")
_TEST = re.compile(r"#([\w-]+)|\.([\w-]+)|\[([\w-]+)(?:(\^?=)\"?([^\]\"]*)\"?)?\]")


@dataclass
class Element:
    """A tag with its attributes and what stands in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Element | str]" = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    @property
    def text(self) -> str:
        """All text within, spaces made single."""
        return " ".join("".join(self._texts()).split())

    @property
    def raw_text(self) -> str:
        """All text within, as it stands."""
        return "".join(self._texts())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()

    def walk(self) -> "Iterator[Element]":
        """Every element below, in the order of the document."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def select(self, selector: str) -> "list[Element]":
        """The elements that match: `tag#id.class[name=value]`, steps divided by spaces."""
        found: list[Element] = [self]
        for step in selector.split():
            matches = [e for parent in found for e in parent.walk() if _matches(e, step)]
            found = list({id(element): element for element in matches}.values())
        return found

    def one(self, selector: str) -> "Element":
        """The only element that matches."""
        found = self.select(selector)
        assert len(found) == 1, f"{len(found)} elements match {selector}"
        return found[0]


def _matches(element: Element, step: str) -> bool:
    parsed = _STEP.fullmatch(step)
    assert parsed is not None, f"{step} is no selector that is understood here"
    if parsed[1] and element.tag != parsed[1]:
        return False
    return all(_passes(element, test) for test in _TEST.finditer(parsed[2]))


def _passes(element: Element, test: re.Match[str]) -> bool:
    if test[1]:
        return element.attributes.get("id") == test[1]
    if test[2]:
        return test[2] in element.attributes.get("class", "").split()
    value = element.attributes.get(test[3])
    if value is None or not test[4]:
        return value is not None
    return value.startswith(test[5]) if test[4] == "^=" else value == test[5]


class _TreeBuilder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in [element.tag for element in self._open[1:]]:
            while self._open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse_html(text: str) -> Element:
    """The document."""
    builder = _TreeBuilder()
    builder.feed(text)
    builder.close()
    return builder.root
