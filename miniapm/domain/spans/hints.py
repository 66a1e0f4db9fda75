"""What a trace shows at a glance to be worth a change: the same query again and again."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from miniapm.domain.spans.endpoints import fold_path
from miniapm.domain.spans.span import Span
from miniapm.domain.spans.trees import Node, Trace

REPEATS = 5
"""From so many equal calls on for one request, it is worth a hint."""
MOST_HINTS = 8
_LONGEST_SHAPE = 500
_LONGEST_QUERY = 4000
_NEAREST = 20

# one pass: what is not closed reaches to the end, so no text takes long
_TOKEN = re.compile(
    r"""(?P<comment> /\*(?:[^*]|\*(?!/))*+(?:\*/)? | --[^\n]*+ )
      | (?P<value> '(?:[^'\\]|''|\\.)*+'?
                 | \$\w++ | %\(\w++\)s | %s | @\w++ | (?<![\w:]):\w++ | \?
                 | (?<![\w.])-?\d[\w.]*+ )
      | (?P<quoted> "[^"]*+"? )
      | (?P<kept> [^\W\d][\w$]*+ | :: )
      | (?P<space> \s++ )""",
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r'"[^\W\d][\w$]{0,62}"')
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)*+ ?\)")
_LISTS = re.compile(r"\(\?\)(?: ?, ?\(\?\))++")
_READ = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)


class Hint(NamedTuple):
    """`calls` of one shape for one request, `duration_us` in all; `first` is the first.

    `n_plus_one`: they read, probably a row each, where one query could read them all.
    """

    kind: Literal["n_plus_one", "repeated"]
    shape: str
    calls: int
    duration_us: int
    service: str
    first: Span


def find_hints(trace: Trace) -> list[Hint]:
    """The hints of a trace, those that took longest first."""
    groups: dict[tuple[int, str], list[Node]] = {}
    for node in trace.nodes:
        shape = _find_call(node.span)
        if shape and not _stands_within(node, shape):
            groups.setdefault((_find_entry(node, trace), shape), []).append(node)
    hints = [
        Hint(
            "n_plus_one" if _READ.match(shape) else "repeated",
            shape,
            len(nodes),
            sum(node.duration_ns for node in nodes) // 1000,
            nodes[0].span.service,
            nodes[0].span,
        )
        for (_, shape), nodes in groups.items()
        if len(nodes) >= REPEATS
    ]
    return sorted(hints, key=lambda hint: -hint.duration_us)[:MOST_HINTS]


def find_shape(span: Span) -> str:
    """What spans that do the same have in common: the query or the address with its values folded,
    else the name."""
    return _find_call(span) or span.name


def _find_call(span: Span) -> str:
    """The shape of a call to a database or another service; "" for what is neither."""
    if span.category == "database":
        return fold_query(span.statement) if span.statement else span.name
    if span.kind == "client" and span.address:
        return f"{span.method} {fold_address(span.address)}".strip()
    return ""


def _find_entry(node: Node, trace: Trace) -> int:
    """The position of the entry span that a span works for."""
    return trace.owners[node.position]


def _stands_within(node: Node, shape: str) -> bool:
    """Whether a span above reports the same call: a driver below its library."""
    above = node.parent
    for _ in range(_NEAREST):
        if above is None or above.span.is_entry:
            return False
        if above.span.category == node.span.category and _find_call(above.span) == shape:
            return True
        above = above.parent
    return False


@lru_cache(maxsize=1024)
def fold_query(text: str) -> str:
    """A query with its numbers, strings and lists of them as `?`, in one line."""
    folded = _TOKEN.sub(_fold_token, text[:_LONGEST_QUERY])
    folded = _LISTS.sub("(?)", _LIST.sub("(?)", " ".join(folded.split())))
    return folded if len(folded) <= _LONGEST_SHAPE else folded[: _LONGEST_SHAPE - 1] + "…"


def _fold_token(found: re.Match[str]) -> str:
    text = found[0]
    if found["value"] is not None:
        return "?"
    if found["quoted"] is not None:
        # names are quoted so in SQL, text in MySQL
        return text if _NAME.fullmatch(text) else "?"
    return " " if found["comment"] is not None or found["space"] is not None else text


@lru_cache(maxsize=1024)
def fold_address(address: str) -> str:
    """A URL or path without its query, ids folded away; the host stays, who signs in does not."""
    address = address[:_LONGEST_QUERY]
    scheme, separator, rest = address.partition("://")
    if not separator:
        return fold_path(address)[:_LONGEST_SHAPE]
    host, slash, path = rest.partition("/")
    host = host.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"{scheme}://{host}{fold_path(slash + path)}"[:_LONGEST_SHAPE]
