"""Charts as values: what `_chart.html` writes as tables and links, and `charts.js` draws from them.

A table under each chart is the chart itself without JavaScript; nothing is handed over twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from markupsafe import Markup

from miniapm.clock import DAY, MINUTE, SECOND
from miniapm.domain.percents import tell_share
from miniapm.domain.ranges import TimeRange
from miniapm.storage.deploys.markers import Marker
from miniapm.storage.rollups.series import Point
from miniapm.storage.rollups.totals import Totals
from miniapm.web.ticks import Tick, find_ticks
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_clock, tell_short

Unit = Literal["per minute", "%", "ms", "requests", "in each step"]
Value = float | None

_ENOUGH_US = 5 * MINUTE
NO_VALUE = "\N{EN DASH}"


class Series(NamedTuple):
    """A line: a value for each step, None where there is no data. `style` is a class of charts.css:
    `main`, `quiet`, `loud` or `fill`."""

    label: str
    values: Sequence[Value]
    style: str = "main"


class ChartRow(NamedTuple):
    """A step with data, as the table has it; its cells are numbers."""

    at: Markup
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `name` is its id in the page; `summary` stands beside the title."""

    name: str
    title: str
    unit: Unit
    series: tuple[Series, ...]
    rows: tuple[ChartRow, ...]
    summary: str = ""

    @property
    def body(self) -> Markup:
        """The rows of the table; a template that writes cell by cell takes ten times as long."""
        rows = (
            f"<tr><td>{at}</td><td>{'</td><td>'.join(cells)}</td></tr>" for at, cells in self.rows
        )
        return Markup("\n".join(rows))  # noqa: S704 - times that are Markup, and numbers


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts over the same time, one below the other, with the same markers."""

    time_range: TimeRange
    charts: tuple[Chart, ...]
    markers: tuple[Marker, ...]
    ticks: tuple[Tick, ...]

    @property
    def has_data(self) -> bool:
        return any(chart.rows for chart in self.charts)


class ChartMaker:
    """Makes the charts of one page over `time_range`, told in `zone`."""

    def __init__(self, time_range: TimeRange, zone: Zone) -> None:
        self._time_range = time_range
        self._zone = zone
        is_short = time_range.until - time_range.since <= DAY
        tell: Callable[[int, Zone], Markup] = tell_clock if is_short else tell_short
        self._times = [tell(at, zone) for at in time_range.starts]

    def chart(
        self, name: str, title: str, unit: Unit, series: Sequence[Series], summary: str = ""
    ) -> Chart:
        """A chart of series that each have one value for each step."""
        columns = (
            ["" if value is None else write_number(value) for value in line.values]
            for line in series
        )
        rows = zip(self._times, *columns, strict=True)
        shown = tuple(ChartRow(at, cells) for at, *cells in rows if any(cells))
        return Chart(name, title, unit, tuple(series), shown, summary)

    def together(self, charts: Iterable[Chart], markers: Iterable[Marker] = ()) -> Charts:
        time_range = self._time_range
        ticks = find_ticks(time_range.since, time_range.until, self._zone)
        return Charts(time_range, tuple(charts), tuple(markers), tuple(ticks))


def make_traffic_charts(
    points: Sequence[Point],
    time_range: TimeRange,
    zone: Zone,
    now: int,
    totals: Totals | None = None,
    markers: Iterable[Marker] = (),
) -> Charts:
    """Requests per minute, error rate, and p50, p95, p99 of `points`, one for each step; with
    `totals`, of the same requests, each says what they come to.

    The step that `now` is in stays out until there is enough of it: what has just begun would look
    like a change.
    """
    points = leave_out_begun(points, time_range, now)
    make = ChartMaker(time_range, zone)
    minutes = [_minutes_passed(point.at, time_range, now) for point in points]
    rates = [
        None if point.is_gap else point.count / length
        for point, length in zip(points, minutes, strict=True)
    ]
    failures = [point.failed / point.count * 100 if point.count else None for point in points]
    lines = (
        Series("p50", [_to_ms(point.p50_us) for point in points], "quiet"),
        Series("p95", [_to_ms(point.p95_us) for point in points], "main"),
        Series("p99", [_to_ms(point.p99_us) for point in points], "loud"),
    )
    asked, failed, spread = _summarize(totals) if totals is not None else ("", "", "")
    traffic = [Series("requests", rates, "fill")]
    return make.together(
        (
            make.chart("requests", "Requests", "per minute", traffic, asked),
            make.chart("errors", "Error rate", "%", [Series("failed", failures, "loud")], failed),
            make.chart("latency", "Duration", "ms", lines, spread),
        ),
        markers,
    )


def _summarize(totals: Totals) -> tuple[str, str, str]:
    share = tell_part(totals.failed, totals.count)
    times = (("p50", totals.p50_us), ("p95", totals.p95_us), ("p99", totals.p99_us))
    return (
        f"{totals.count:,} in all",
        f"{totals.failed:,} failed, {share}" if totals.failed else "none failed",
        ", ".join(f"{name} {tell_ms(micros)}" for name, micros in times),
    )


def write_number(value: float) -> str:
    """Four digits that count, and all that stand before the point: `0.01234`, `12.34`, `12345`."""
    if value >= 1000 or value == int(value):
        return str(round(value))
    return f"{value:.4g}"


def tell_ms(micros: int | None) -> str:
    """`0.42 ms`, `12 ms`, `1.3 s`; a dash for None."""
    if micros is None:
        return NO_VALUE
    if micros >= SECOND:
        return f"{micros / SECOND:.1f} s" if micros < 100 * SECOND else f"{micros // SECOND} s"
    ms = micros / 1000
    return f"{ms:.2f} ms" if ms < 1 else f"{ms:.1f} ms" if ms < 10 else f"{ms:.0f} ms"


def tell_part(part: int, whole: int) -> str:
    """The share of `part` in `whole`; a dash where there is no whole."""
    return tell_share(part / whole) if whole else NO_VALUE


def find_begun(time_range: TimeRange, now: int) -> int | None:
    """The place of the step that `now` is in while there is too little of it; else None."""
    place, passed = divmod(now - time_range.since, time_range.step_us)
    enough = max(time_range.step_us // 2, _ENOUGH_US)
    is_within = 0 <= place < len(time_range.starts)
    return place if is_within and passed < enough else None


def leave_out_begun(points: Sequence[Point], time_range: TimeRange, now: int) -> Sequence[Point]:
    """Without what has just begun; the very first figures are shown at once."""
    begun = find_begun(time_range, now)
    if not begun or points[begun - 1].is_gap:
        return points
    return [*points[:begun], Point(points[begun].at, is_gap=True), *points[begun + 1 :]]


def _to_ms(micros: int | None) -> Value:
    return None if micros is None else micros / 1000


def _minutes_passed(at: int, time_range: TimeRange, now: int) -> int:
    """How long a step has lasted, in begun minutes: the one that `now` is in is not over."""
    end = min(at + time_range.step_us, now)
    return max(1, -(-(end - at) // MINUTE))
