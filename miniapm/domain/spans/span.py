"""A span as it is shown: what every row of a trace needs at once, and the details on demand."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.spans.categories import Category
from miniapm.domain.spans.values import ReleaseName

Kind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ENTRY_KINDS = frozenset({"server", "consumer"})
LONGEST_NAME = 500
MOST_EVENTS = 100
MOST_LINKS = 100

WANTED = {
    b"db.query.text": "statement",
    b"db.statement": "statement",
    b"db.system.name": "db.system",
    b"db.system": "db.system",
    b"http.request.method": "method",
    b"http.method": "method",
    b"url.full": "address",
    b"http.url": "address",
    b"url.path": "address",
    b"http.target": "address",
    b"http.response.status_code": "http.response.status_code",
    b"http.status_code": "http.response.status_code",
}
"""The attributes that a row needs, of both conventions."""


class Source(NamedTuple):
    """Who reported a span. `resource` is as it came: one process has one, and one clock."""

    release: ReleaseName
    resource: bytes
    scope: str


class Span(NamedTuple):
    """A span of a trace; ids in hex, "" where there is none, times in ns since the epoch.

    `statement` is its query and `address` the URL or path that it called, "" where it has none.
    `raw` is the span as it came, in the format `is_json` says.
    """

    span_id: str
    parent_id: str
    name: str
    kind: Kind
    started_ns: int
    ended_ns: int
    is_error: bool
    status_code: int | None
    category: Category
    statement: str
    method: str
    address: str
    source: Source
    raw: bytes
    is_json: bool

    @property
    def service(self) -> str:
        return self.source.release.service

    @property
    def is_entry(self) -> bool:
        """Whether something came into a service with it."""
        return self.kind in ENTRY_KINDS or not self.parent_id

    @property
    def failed(self) -> bool:
        """By its own word, or by an HTTP status of 500 and more."""
        return self.is_error or (self.status_code is not None and self.status_code >= 500)


class SpanEvent(NamedTuple):
    """Something that happened at an instant (µs) within a span."""

    at: int
    name: str
    attributes: Mapping[str, Any]


class SpanLink(NamedTuple):
    """Another span that this one names; ids in hex."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]


class SpanDetails(NamedTuple):
    """All that a span holds beyond its row, bounded. `exceptions` are events, too, and stand there
    alone."""

    status_message: str
    attributes: Mapping[str, Any]
    exceptions: list[Occurrence]
    events: list[SpanEvent]
    links: list[SpanLink]
    resource: Mapping[str, Any]


def pick_texts(found: dict[str, Any]) -> dict[str, str]:
    """The attributes that a row shows, "" for those that are absent or no text."""
    picked = {name: found.get(name, "") for name in ("statement", "method", "address")}
    return {name: text if isinstance(text, str) else "" for name, text in picked.items()}
