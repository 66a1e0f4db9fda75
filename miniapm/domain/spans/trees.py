"""The spans of a trace as trees, whatever was sent: lost parents, circles, clocks that disagree.

Every span stands in them exactly once.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from miniapm.domain.spans.span import Span


class Node:
    """A span in its tree. `start` and `end` are its times in ns by its parent's clock: `shift_ns`
    later than it said itself. `is_orphan`: it names a parent that did not arrive."""

    __slots__ = (
        "children", "depth", "end", "is_orphan", "parent", "position", "shift_ns", "span", "start",
    )  # fmt: skip

    def __init__(self, span: Span) -> None:
        self.span = span
        self.parent: Node | None = None
        self.children: list[Node] = []
        self.position = 0
        self.depth = 0
        self.is_orphan = False
        self.shift_ns = 0
        self.start = span.started_ns
        self.end = span.ended_ns

    @property
    def duration_ns(self) -> int:
        return self.end - self.start

    def find_own(self) -> list[tuple[int, int]]:
        """When it worked itself: its time without that of its children, as (start, end)."""
        own: list[tuple[int, int]] = []
        place = self.start
        for child in self.children:  # which begin one after the other
            if child.start > place:
                own.append((place, min(child.start, self.end)))
            place = max(place, child.end)
            if place >= self.end:
                return own
        if place < self.end:
            own.append((place, self.end))
        return own


class Trace(NamedTuple):
    """`nodes` in the order in which they are shown; `owners` says for the position of each which
    position its entry span has. `repeated` spans came twice and count once."""

    roots: list[Node]
    nodes: list[Node]
    owners: list[int]
    repeated: int

    @property
    def start(self) -> int:
        """In ns, as `end`; 0 without spans."""
        return min((node.start for node in self.nodes), default=0)

    @property
    def end(self) -> int:
        return max((node.end for node in self.nodes), default=0)

    @property
    def lacks_parents(self) -> bool:
        """Whether a span names a parent that did not arrive, or nothing arrived at all."""
        return not self.roots or any(node.is_orphan for node in self.roots)


def build_trace(spans: Iterable[Span]) -> Trace:
    """The trees of the spans of one trace."""
    nodes, repeated = _make_nodes(spans)
    _find_parents(nodes)
    _cut_circles(nodes)
    roots = [node for node in nodes if node.parent is None]
    for node in sorted(nodes, key=_order):
        if node.parent is not None:
            node.parent.children.append(node)
    roots.sort(key=lambda node: (node.is_orphan, *_order(node)))
    ordered = list(_walk(roots))
    return Trace(roots, ordered, _find_owners(ordered), repeated)


def _make_nodes(spans: Iterable[Span]) -> tuple[list[Node], int]:
    """Of several spans with one id the one that took longest: it ended last."""
    by_id: dict[str, Node] = {}
    nameless: list[Node] = []
    count = 0
    for span in spans:
        count += 1
        known = by_id.get(span.span_id)
        if not span.span_id.strip("0"):
            nameless.append(Node(span))
        elif known is None or _duration(span) > _duration(known.span):
            by_id[span.span_id] = Node(span)
    nodes = [*by_id.values(), *nameless]
    return nodes, count - len(nodes)


def _duration(span: Span) -> int:
    return span.ended_ns - span.started_ns


def _order(node: Node) -> tuple[int, int, str]:
    """By beginning; what lasts longer stands above what began with it."""
    return node.start, -node.duration_ns, node.span.span_id


def _find_parents(nodes: Sequence[Node]) -> None:
    by_id = {node.span.span_id: node for node in nodes if node.span.span_id.strip("0")}
    for node in nodes:
        if node.span.parent_id:
            node.parent = by_id.get(node.span.parent_id)
            node.is_orphan = node.parent is None
            if node.parent is node:
                node.parent = None


def _cut_circles(nodes: Sequence[Node]) -> None:
    """Of spans that are each other's parents the first one becomes a root."""
    seen: dict[int, int] = {}
    for number, node in enumerate(nodes):
        above: Node | None = node
        while above is not None and id(above) not in seen:
            seen[id(above)] = number
            above = above.parent
        if above is not None and seen[id(above)] == number:
            first = min(_circle(above), key=_order)
            first.parent = None


def _circle(node: Node) -> Iterator[Node]:
    yield node
    above = node.parent
    while above is not None and above is not node:
        yield above
        above = above.parent


def _walk(roots: Sequence[Node]) -> Iterator[Node]:
    """Parents before their children, each with its depth and its times by its parent's clock."""
    waiting = list(reversed(roots))
    position = 0
    while waiting:
        node = waiting.pop()
        node.position = position
        position += 1
        for child in node.children:
            child.depth = node.depth + 1
            _set_clock(child, node)
        node.children.sort(key=_order)
        waiting += reversed(node.children)
        yield node


def _set_clock(child: Node, parent: Node) -> None:
    """A server's span lies within its client's, so where it does not, its clock is off; what else
    its process reports is off by as much."""
    shift = 0
    if child.span.source.resource == parent.span.source.resource:
        shift = parent.shift_ns
    elif child.span.kind == "server" and parent.span.kind == "client":
        room = parent.duration_ns - child.duration_ns
        if room < 0:
            # it went on after its client had left
            shift = max(0, parent.start - child.start)
        elif child.start < parent.start or child.end > parent.end:
            shift = parent.start + room // 2 - child.start
    child.shift_ns = shift
    child.start += shift
    child.end += shift


def _find_owners(nodes: Sequence[Node]) -> list[int]:
    owners: list[int] = []
    for node in nodes:
        parent = None if node.span.is_entry else node.parent
        owners.append(node.position if parent is None else owners[parent.position])
    return owners
