"""The waterfall of a trace as a page draws it: places in percent of its time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.hints import find_shape
from miniapm.domain.spans.trees import Node, Trace
from miniapm.domain.spans.waterfall import Row, Waterfall
from miniapm.web.charts import tell_ms

SCALE = 100
COLOURS = 7
DEEPEST = 16
_THINNEST = 0.2
_MOST_STRETCHES = 40
_LONGEST_NOTE = 160


class Stretch(NamedTuple):
    """From `x` on, `width` long, in percent of the trace."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One row. `bars` is all of its time, `own` what it worked itself. `calls` equal spans stand in
    it, `hidden` spans below it have no row."""

    number: int
    span_id: str
    name: str
    note: str
    service: str
    depth: int
    colour: int
    failed: bool
    is_orphan: bool
    is_chosen: bool
    calls: int
    hidden: int
    duration: str
    bars: tuple[Stretch, ...]
    own: tuple[Stretch, ...]


def tell_rows(
    trace: Trace, waterfall: Waterfall, chosen: Node | None, scrubber: Scrubber
) -> tuple[SpanRow, ...]:
    """The rows; secrets in names are masked."""
    scale = _Scale(trace)
    colours = find_colours(trace)
    return tuple(
        _tell(row, number, scale, colours, chosen, scrubber)
        for number, row in enumerate(waterfall.rows)
    )


def find_colours(trace: Trace) -> dict[str, int]:
    """Each service's colour, in the order in which they appear; the last stands for all others."""
    services = dict.fromkeys(node.span.service for node in trace.nodes)
    return {service: min(number, COLOURS - 1) for number, service in enumerate(services)}


def _tell(
    row: Row,
    number: int,
    scale: "_Scale",
    colours: dict[str, int],
    chosen: Node | None,
    scrubber: Scrubber,
) -> SpanRow:
    node, span = row.node, row.node.span
    above = node.parent.span.service if node.parent is not None else None
    shape = find_shape(span)
    return SpanRow(
        number=number,
        span_id=span.span_id,
        name=scrubber.scrub_text(span.name) or "unnamed",
        note=_cut(scrubber.scrub_text(shape)) if shape != span.name else "",
        service=span.service if span.service != above else "",
        depth=min(node.depth, DEEPEST),
        colour=colours[span.service],
        failed=span.failed,
        is_orphan=node.is_orphan,
        is_chosen=any(member is chosen for member in row.members),
        calls=len(row.members),
        hidden=row.hidden,
        duration=tell_ms(sum(member.duration_ns for member in row.members) // 1000),
        bars=scale.draw((member.start, member.end) for member in row.members),
        own=scale.draw(node.find_own()) if node.children else (),
    )


class _Scale:
    def __init__(self, trace: Trace) -> None:
        self._start = trace.start
        self._length = max(1, trace.end - trace.start)

    def draw(self, stretches: Iterable[tuple[int, int]]) -> tuple[Stretch, ...]:
        """Those that touch as one, and no more than can be told apart."""
        drawn: list[Stretch] = []
        for start, end in stretches:
            x = SCALE * (start - self._start) / self._length
            width = max(_THINNEST, SCALE * (end - start) / self._length)
            x = max(0.0, min(x, SCALE - width))
            last = drawn[-1] if drawn else None
            if last is not None and (x <= last.x + last.width or len(drawn) >= _MOST_STRETCHES):
                reached = max(last.x + last.width, x + width)
                drawn[-1] = Stretch(min(last.x, x), reached - min(last.x, x))
            else:
                drawn.append(Stretch(x, width))
        return tuple(Stretch(round(x, 2), round(width, 2)) for x, width in drawn)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NOTE else text[: _LONGEST_NOTE - 1] + "…"
