"""Figures as charts: what they draw, what they leave out, how numbers are told."""

import pytest

from miniapm.clock import MINUTE, SECOND
from miniapm.domain.ranges import TimeRange
from miniapm.storage.rollups.series import Point
from miniapm.storage.rollups.totals import Totals
from miniapm.web.charts import (
    NO_VALUE,
    Chart,
    Charts,
    make_traffic_charts,
    tell_ms,
    tell_part,
    write_number,
)
from miniapm.web.time_zone import Zone, make_zone
from tests.factories import START

BEGIN = START - START % (10 * MINUTE)
STEPS = TimeRange(BEGIN, BEGIN + 30 * MINUTE, 10, 10 * MINUTE)
LATER = BEGIN + 60 * MINUTE


def make(
    *points: Point, now: int = LATER, zone: Zone | None = None, totals: Totals | None = None
) -> Charts:
    return make_traffic_charts(points, STEPS, zone or Zone(), now, totals)


def point(step: int, count: int = 0, failed: int = 0, p95_us: int | None = None) -> Point:
    return Point(BEGIN + step * 10 * MINUTE, count, failed, p95_us=p95_us)


def gap(step: int) -> Point:
    return Point(BEGIN + step * 10 * MINUTE, is_gap=True)


def cells(chart: Chart) -> list[list[str]]:
    return [row.cells for row in chart.rows]


def test_requests_are_told_per_minute_and_failures_in_percent() -> None:
    requests, errors, _ = make(point(0, 20), point(1, 5, 1), point(2)).charts
    assert cells(requests) == [["2"], ["0.5"], ["0"]]
    # no error rate of nothing
    assert cells(errors) == [["0"], ["20"]]


def test_a_gap_has_no_row() -> None:
    requests, _, latency = make(point(0, 10), gap(1), point(2, 10)).charts
    assert len(requests.rows) == 2
    assert requests.series[0].values == [1.0, None, 1.0]
    assert latency.rows == ()
    assert make(gap(0), gap(1), gap(2)).has_data is False


def test_durations_are_told_in_milliseconds() -> None:
    *_, latency = make(point(0, 1, 0, 1_234_567), point(1, 1, 0, 12_345), gap(2)).charts
    assert [row.cells[1] for row in latency.rows] == ["1235", "12.35"]


def test_rows_have_their_times_in_the_zone() -> None:
    found = make(point(0, 1), point(1, 1), gap(2), zone=make_zone("Asia/Tokyo"))
    assert [str(row.at) for row in found.charts[0].rows] == [
        '<time datetime="2025-10-09T08:50:00Z">17:50</time>',
        '<time datetime="2025-10-09T09:00:00Z">18:00</time>',
    ]


@pytest.mark.parametrize(("passed", "rate"), [(299, None), (300, "2"), (420, "1.429")])
def test_a_step_that_has_just_begun_stays_out(passed: int, rate: str | None) -> None:
    now = BEGIN + 20 * MINUTE + passed * SECOND
    requests, *_ = make(point(0, 10), point(1, 10), point(2, 10), now=now).charts
    expected = [["1"], ["1"]] + ([[rate]] if rate else [])
    assert cells(requests) == expected


def test_the_first_figures_are_shown_at_once() -> None:
    now = BEGIN + 20 * MINUTE + 2 * SECOND
    requests, *_ = make(gap(0), gap(1), point(2, 3), now=now).charts
    assert cells(requests) == [["3"]]


def test_charts_say_what_they_come_to() -> None:
    totals = Totals(0, 12_345, 31, 0, 0, 0, 900, 118_000, 1_250_000, None, None)
    found = make(point(0, 1), gap(1), gap(2), totals=totals)
    assert [chart.summary for chart in found.charts] == [
        "12,345 in all",
        "31 failed, 0.25 %",
        "p50 0.90 ms, p95 118 ms, p99 1.2 s",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (5.0, "5"), (0.123456, "0.1235"), (12.3456, "12.35"), (123456.7, "123457"),
     (0.0000123, "1.23e-05")],
)  # fmt: skip
def test_numbers_are_short_and_a_script_can_read_them(value: float, text: str) -> None:
    assert write_number(value) == text
    assert float(text) == pytest.approx(value, rel=0.001)


@pytest.mark.parametrize(
    ("micros", "text"),
    [(None, NO_VALUE), (420, "0.42 ms"), (1_240, "1.2 ms"), (12_400, "12 ms"), (1_300_000, "1.3 s"),
     (250_000_000, "250 s")],
)  # fmt: skip
def test_durations_are_told_shortly(micros: int | None, text: str) -> None:
    assert tell_ms(micros) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, NO_VALUE), (0, 9, "0 %"), (9, 9, "100 %"), (1, 100_000, "0.01 %"), (1, 30, "3.3 %"),
     (1, 8, "12 %")],
)  # fmt: skip
def test_shares_are_told_so_that_little_is_not_nothing(part: int, whole: int, text: str) -> None:
    assert tell_part(part, whole) == text
