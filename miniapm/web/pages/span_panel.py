"""The details of one span beside the waterfall: everything as it came, bounded, secrets masked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp.stored import read_details
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.span import SpanEvent, SpanLink
from miniapm.domain.spans.trees import Node, Trace
from miniapm.web.charts import tell_ms

SHORT = 300
"""What is longer is folded."""
_MOST_CHARACTERS = 64 * 1024
_MOST_ALIKE = 20


class Pair(NamedTuple):
    """An attribute. `is_long`: it is folded until somebody asks."""

    name: str
    value: str
    is_long: bool


class EventLine(NamedTuple):
    """An event, so long after the span's beginning."""

    after: str
    name: str
    pairs: list[Pair]


class LinkLine(NamedTuple):
    """A link to another span; `trace_id` is "" where it names none that can be."""

    trace_id: str
    span_id: str
    pairs: list[Pair]


class Alike(NamedTuple):
    """Another of the spans that are folded into the same row."""

    span_id: str
    duration: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """`cut` counts the values that were left out because all together they are too long."""

    span_id: str
    name: str
    service: str
    env: str
    kind: str
    scope: str
    at: int
    after: str
    duration: str
    own: str
    failed: bool
    status_message: str
    shift: str
    statement: str
    alike: tuple[Alike, ...]
    exceptions: tuple[Occurrence, ...]
    attributes: list[Pair]
    events: list[EventLine]
    links: list[LinkLine]
    resource: list[Pair]
    cut: int


def make_panel(trace: Trace, node: Node, alike: list[Node], scrubber: Scrubber) -> Panel:
    """Everything about the span of `node`; `alike` are the spans of its row."""
    span = node.span
    details = read_details(span, scrubber)
    room = _Room()
    return Panel(
        span_id=span.span_id,
        name=scrubber.scrub_text(span.name) or "unnamed",
        service=span.service,
        env=span.source.release.env,
        kind=span.kind,
        scope=span.source.scope,
        at=span.started_ns // 1000,
        after=tell_ms((node.start - trace.start) // 1000) if node.start > trace.start else "",
        duration=tell_ms(node.duration_ns // 1000),
        own=tell_ms(sum(end - start for start, end in node.find_own()) // 1000),
        failed=span.failed,
        status_message=details.status_message,
        shift=_tell_shift(node.shift_ns // 1000),
        statement=scrubber.scrub_text(span.statement),
        alike=_tell_alike(node, alike),
        exceptions=tuple(details.exceptions),
        attributes=room.tell(details.attributes),
        events=[_tell_event(event, span.started_ns // 1000, room) for event in details.events],
        links=[_tell_link(link, room) for link in details.links],
        resource=room.tell(details.resource),
        cut=room.cut,
    )


class _Room:
    """Tells values until there are too many characters of them."""

    def __init__(self) -> None:
        self._left = _MOST_CHARACTERS
        self.cut = 0

    def tell(self, attributes: Mapping[str, Any]) -> list[Pair]:
        pairs = []
        for name, value in sorted(attributes.items()):
            text = tell_value(value)
            self._left -= len(name) + len(text)
            if self._left < 0:
                self.cut += 1
            else:
                pairs.append(Pair(name, text, len(text) > SHORT))
        return pairs


def tell_value(value: Any) -> str:
    """Text as it is, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _tell_event(event: SpanEvent, began_at: int, room: _Room) -> EventLine:
    return EventLine(
        tell_ms(max(0, event.at - began_at)), event.name[:SHORT], room.tell(event.attributes)
    )


def _tell_link(link: SpanLink, room: _Room) -> LinkLine:
    trace_id = link.trace_id if len(link.trace_id) == 32 else ""
    return LinkLine(trace_id, link.span_id, room.tell(link.attributes))


def _tell_alike(node: Node, alike: list[Node]) -> tuple[Alike, ...]:
    if len(alike) < 2:
        return ()
    return tuple(
        Alike(other.span.span_id, tell_ms(other.duration_ns // 1000), other is node)
        for other in alike[:_MOST_ALIKE]
    )


def _tell_shift(shift_us: int) -> str:
    """Which way its clock is off, in words."""
    if not shift_us:
        return ""
    return f"{tell_ms(abs(shift_us))} {'behind' if shift_us > 0 else 'ahead'}"
