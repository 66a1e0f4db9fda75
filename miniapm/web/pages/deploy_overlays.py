"""The hour before a deploy laid over the hour after it, minute by minute, for what matters most."""

from collections.abc import Sequence
from dataclasses import dataclass

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.evidence import tell_us
from miniapm.domain.impact.minutes import ImpactMinutes, MinuteFigures
from miniapm.domain.impact.values import EndpointImpact, Impact
from miniapm.domain.percents import tell_share
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.web.verdicts import VERDICT_CLASSES

MOST_OVERLAYS = 4
_LENGTH = 62
"""Minutes of the axis: the hour after begins with two of warm-up."""
_HEIGHT = 100
_HOUR = HOUR // MINUTE

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure before and after: two paths over minutes (x) and 100 parts of `top` (y)."""

    title: str
    top: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class OverlayRow:
    """A minute since the deploy, told: each figure before and after."""

    minute: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """One endpoint; `id` is 0 for all of the service. `warm_up` are the first minutes after, which
    are not judged; `judged_until` is the minute after which nothing was (None: there was no look),
    `replaced_at` the one of the next deploy, where the line after ends (None: later or never)."""

    id: int
    name: str
    css: str
    panels: tuple[Panel, ...]
    rows: tuple[OverlayRow, ...]
    warm_up: int
    judged_until: int | None
    replaced_at: int | None


def draw_overlays(impact: Impact, minutes: ImpactMinutes | None) -> tuple[Overlay, ...]:
    """What changed, the worst first; all of the service where nothing did."""
    if minutes is None:
        return ()
    changed = [one for one in impact.endpoints if one.counts and _has_changed(one)]
    by_id = {figures.endpoint_id: figures for figures in minutes.series}
    wanted = [(one.endpoint_id, VERDICT_CLASSES[one.verdict]) for one in changed]
    wanted = [one for one in wanted if one[0] in by_id][:MOST_OVERLAYS]
    drawn = (
        _draw(by_id[endpoint_id], css, impact, minutes.since)
        for endpoint_id, css in wanted or [(ALL_ENDPOINTS, "")]
        if endpoint_id in by_id
    )
    return tuple(overlay for overlay in drawn if overlay.rows)


def _has_changed(endpoint: EndpointImpact) -> bool:
    return endpoint.verdict in ("regressed", "improved")


def _draw(figures: MinuteFigures, css: str, impact: Impact, since: int) -> Overlay:
    failed = [f / c if c else None for f, c in zip(figures.failed, figures.counts, strict=True)]
    lines: list[tuple[str, Values]] = [("p50", figures.p50_us), ("p95", figures.p95_us)]
    if any(figures.failed):
        lines.append(("Failed", failed))
    # what was deployed for a while has a gap between: both hours begin at their own place
    begun = (impact.at - since) // MINUTE

    def to_minute(at: int | None) -> int | None:
        minute = None if at is None else (at - since) // MINUTE - begun
        return minute if minute is not None and minute < _LENGTH else None

    replaced_at = to_minute(impact.next_at)
    halves = [(title, *_split(values, begun, replaced_at)) for title, values in lines]
    return Overlay(
        id=figures.endpoint_id,
        name=figures.name,
        css=css,
        panels=tuple(_draw_panel(title, before, after) for title, before, after in halves),
        rows=tuple(_tell_rows(halves)),
        warm_up=to_minute(impact.after_since) or 0,
        judged_until=to_minute(impact.look.after.until) if impact.look else None,
        replaced_at=replaced_at,
    )


def _split(values: Values, begun: int, replaced_at: int | None) -> tuple[Values, Values]:
    """The first hour, and what follows from the minute of the deploy on, until the next one."""
    length = _LENGTH + 1 if replaced_at is None else replaced_at
    return values[:_HOUR], values[begun : begun + length]


def _draw_panel(title: str, before: Values, after: Values) -> Panel:
    top = max((value for value in (*before, *after) if value is not None), default=0.0) or 1.0
    tell = tell_share if title == "Failed" else tell_us
    return Panel(title, tell(top), draw_line(before, top), draw_line(after, top))


def draw_line(values: Values, top: float, step: int = 1, height: int = _HEIGHT) -> str:
    """The path of values `step` apart, from 0 up to `top`; None leaves a gap. A value between two
    gaps is a dash."""
    path = []
    is_down = False
    for place, value in enumerate(values):
        if value is None:
            is_down = False
            continue
        x, y = place * step, height - round(min(value, top) * height / top)
        path.append(f"L{x} {y}" if is_down else f"M{x} {y}h.1")
        is_down = True
    return "".join(path)


def _tell_rows(halves: Sequence[tuple[str, Values, Values]]) -> list[OverlayRow]:
    rows = []
    for minute in range(_LENGTH + 1):
        cells = tuple(
            _tell(title, half[minute] if minute < len(half) else None)
            for title, before, after in halves
            for half in (before, after)
        )
        if any(cells):
            rows.append(OverlayRow(minute, cells))
    return rows


def _tell(title: str, value: float | None) -> str:
    if value is None:
        return ""
    return tell_share(value) if title == "Failed" else tell_us(value)
