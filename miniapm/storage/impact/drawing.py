"""What is kept to be drawn with a verdict: the minutes around it, and the strip of the timeline."""

from collections.abc import Sequence
from math import exp

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.deploys.values import Lane
from miniapm.domain.impact.minutes import ImpactMinutes, MinuteFigures, Strip
from miniapm.domain.impact.moments import MEDIAN, P95
from miniapm.domain.impact.segments import MinuteRow, MinuteSums, Segment
from miniapm.domain.impact.values import EndpointImpact, Window
from miniapm.domain.impact.windows import Plan
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.impact.lanes import find_minute_rows

MOST_ENDPOINTS = 8
STRIP_STEP = 2 * MINUTE
_ALL_NAME = "All endpoints"


def draw(
    connection: Connection, lane: Lane, plan: Plan, endpoints: Sequence[EndpointImpact], now: int
) -> tuple[ImpactMinutes, Strip]:
    """The minutes of the service and of its first endpoints, an hour before to an hour after."""
    window = _find_window(plan, now)
    names = {ALL_ENDPOINTS: _ALL_NAME}
    names.update({one.endpoint_id: one.name for one in endpoints[:MOST_ENDPOINTS]})
    rows = find_minute_rows(connection, lane, window, names)
    series = tuple(
        _draw_minutes(endpoint_id, name, rows.get(endpoint_id, []), window)
        for endpoint_id, name in names.items()
    )
    whole = MinuteSums(window, rows.get(ALL_ENDPOINTS, []))
    return ImpactMinutes(window.since, series), _draw_strip(whole, window, plan)


def _find_window(plan: Plan, now: int) -> Window:
    until = min(plan.after_since + HOUR, now - now % MINUTE)
    return Window(plan.before.until - HOUR, max(until, plan.after_since))


def _draw_minutes(
    endpoint_id: int, name: str, rows: Sequence[MinuteRow], window: Window
) -> MinuteFigures:
    minutes = _cut(MinuteSums(window, rows), window, MINUTE)
    return MinuteFigures(
        endpoint_id,
        name,
        tuple(one.count for one in minutes),
        tuple(one.failed for one in minutes),
        tuple(_quantile(one, MEDIAN) for one in minutes),
        tuple(_quantile(one, P95) for one in minutes),
    )


def _draw_strip(whole: MinuteSums, window: Window, plan: Plan) -> Strip:
    steps = _cut(whole, window, STRIP_STEP)
    return Strip(
        window.since,
        plan.at,
        tuple(_quantile(one, P95) for one in steps),
        tuple(round(one.failed / one.count, 4) if one.count else 0.0 for one in steps),
    )


def _cut(minutes: MinuteSums, window: Window, step: int) -> list[Segment]:
    return minutes.cut_all(
        [Window(at, min(at + step, window.until)) for at in range(window.since, window.until, step)]
    )


def _quantile(segment: Segment, share: float) -> int | None:
    return round(exp(segment.ln_quantile(share))) if segment.count else None
