"""Where the time of an endpoint goes: databases, other services, itself."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.ranges import TimeRange
from miniapm.storage.rollups.series import Point
from miniapm.storage.rollups.totals import Totals
from miniapm.web.charts import Chart, ChartMaker, Series, leave_out_begun, tell_ms, tell_part
from miniapm.web.time_zone import Zone


class TimePart(NamedTuple):
    """A part of an average call; `x` and `width` in percent of all of it."""

    name: str
    words: str
    per_call: str
    share: str
    x: float
    width: float


class Split(NamedTuple):
    """Sums in µs, or means of a call."""

    own_us: float
    database_us: float
    http_us: float


def split(duration_us: float, database_us: float, http_us: float) -> Split:
    """What is neither database nor HTTP is the endpoint's own; nothing is left of it where these
    ran beside each other for longer than the call took."""
    return Split(max(0, duration_us - database_us - http_us), database_us, http_us)


def split_time(totals: Totals) -> tuple[TimePart, ...]:
    """The parts of all calls together."""
    sums = split(totals.duration_us, totals.database_us, totals.http_us)
    whole = round(sum(sums)) or 1
    names = (("own", "Own code"), ("database", "Databases"), ("http", "HTTP calls"))
    parts: list[TimePart] = []
    x = 0.0
    for (name, words), part in zip(names, sums, strict=True):
        width = round(100 * part / whole, 2)
        per_call = tell_ms(round(part / max(totals.count, 1)))
        parts.append(TimePart(name, words, per_call, tell_part(round(part), whole), x, width))
        x = round(x + width, 2)
    return tuple(parts)


def make_time_chart(points: Sequence[Point], time_range: TimeRange, zone: Zone, now: int) -> Chart:
    """The means of each step, without what `make_traffic_charts` leaves out."""
    splits = [
        split(p.duration_us / p.count, p.database_us / p.count, p.http_us / p.count)
        if p.count
        else None
        for p in leave_out_begun(points, time_range, now)
    ]
    lines = (
        Series("own code", [None if s is None else s.own_us / 1000 for s in splits], "quiet"),
        Series("databases", [None if s is None else s.database_us / 1000 for s in splits], "main"),
        Series("HTTP calls", [None if s is None else s.http_us / 1000 for s in splits], "loud"),
    )
    return ChartMaker(time_range, zone).chart(
        "time", "Where the time of a call goes", "ms", lines, "means of each step"
    )
