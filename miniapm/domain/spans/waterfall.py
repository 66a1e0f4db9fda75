"""The rows of a trace's picture: a bounded number of them, equal calls folded into one."""

from collections.abc import Iterable
from typing import NamedTuple

from miniapm.domain.spans.hints import find_shape
from miniapm.domain.spans.trees import Node, Trace

FOLD_FROM = 3
"""So many equal calls below one span are folded."""


class Row(NamedTuple):
    """`members` are the spans it stands for, `node` the first of them; `hidden` counts the spans
    below it that have no row."""

    node: Node
    members: list[Node]
    hidden: int


class Waterfall(NamedTuple):
    """`left_out` counts the spans that neither have a row nor a row above them."""

    rows: list[Row]
    left_out: int


def lay_out(trace: Trace, limit: int, *, fold: bool = True) -> Waterfall:
    """At most `limit` rows. Where there are more, what failed and what took longest has them."""
    groups = _fold(trace) if fold else {}
    folded = {id(node) for nodes in groups.values() for node in nodes[1:]}
    candidates = [node for node in trace.nodes if id(node) not in folded]
    shown = _choose(candidates, groups, limit)
    hidden = dict.fromkeys(shown, 0)
    left_out = 0
    nearest: list[int | None] = []
    for node in trace.nodes:
        above = None if node.parent is None else nearest[node.parent.position]
        nearest.append(id(node) if id(node) in shown else above)
        if id(node) in shown or id(node) in folded:
            continue
        size = len(groups.get(id(node), (node,)))
        if above is None:
            left_out += size
        else:
            hidden[above] += size
    rows = [
        Row(node, groups.get(id(node), [node]), hidden[id(node)])
        for node in candidates
        if id(node) in shown
    ]
    return Waterfall(rows, left_out)


def _fold(trace: Trace) -> dict[int, list[Node]]:
    """The leaves that do the same below the same span, by the first of them."""
    groups: dict[int, list[Node]] = {}
    for parent in trace.nodes:
        if len(parent.children) < FOLD_FROM:
            continue
        alike: dict[tuple[str, str, str], list[Node]] = {}
        for node in parent.children:
            if not node.children and not node.span.failed:
                span = node.span
                alike.setdefault((span.service, span.kind, find_shape(span)), []).append(node)
        groups |= {id(nodes[0]): nodes for nodes in alike.values() if len(nodes) >= FOLD_FROM}
    return groups


def _choose(candidates: list[Node], groups: dict[int, list[Node]], limit: int) -> set[int]:
    """By id(node): all, or those that matter most with everything above them."""
    if len(candidates) <= limit:
        return {id(node) for node in candidates}

    def weigh(node: Node) -> tuple[bool, int, int]:
        took = sum(n.duration_ns for n in groups.get(id(node), (node,)))
        return not node.span.failed, -took, node.position

    shown: set[int] = set()
    for node in sorted(candidates, key=weigh):
        chain = _find_chain(node, shown, limit - len(shown))
        shown.update(chain)
        if len(shown) >= limit:
            break
    return shown


def _find_chain(node: Node, shown: set[int], room: int) -> Iterable[int]:
    """The node and what is missing above it; nothing where there is no room for all."""
    chain: list[int] = []
    above: Node | None = node
    while above is not None and id(above) not in shown:
        if len(chain) >= room:
            return ()
        chain.append(id(above))
        above = above.parent
    return chain
