"""Days, weeks and months by the calendar of a time zone, where clocks change as well."""

from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, from_datetime
from miniapm.domain.delivery.periods import (
    PERIOD_NAMES,
    PeriodName,
    count_days,
    cut_into_periods,
    find_period_start,
)

BERLIN, SANTIAGO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Santiago")
ZONES = [UTC, BERLIN, SANTIAGO, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe")]


def at(text: str, zone: tzinfo = UTC) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))


def test_days_have_23_and_25_hours_where_clocks_change() -> None:
    forward = cut_into_periods(at("2025-03-29T23:30", UTC), at("2025-03-30T01:00"), "day", BERLIN)
    assert [one.until - one.since for one in forward] == [23 * HOUR]
    back = cut_into_periods(at("2025-10-26T10:00"), at("2025-10-26T11:00"), "day", BERLIN)
    assert [one.until - one.since for one in back] == [25 * HOUR]


def test_a_day_without_midnight_begins_when_it_does() -> None:
    # on 7 September 2025 clocks in Santiago went from midnight to 01:00
    [day] = cut_into_periods(at("2025-09-07T12:00"), at("2025-09-07T13:00"), "day", SANTIAGO)
    assert day == (at("2025-09-07T04:00"), at("2025-09-08T03:00"))


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    instant = at("2025-03-30T22:30")  # Monday the 31st in Berlin
    assert find_period_start(instant, "week", BERLIN) == at("2025-03-31T00:00", BERLIN)
    assert find_period_start(instant, "week", UTC) == at("2025-03-24T00:00")
    assert find_period_start(instant, "month", BERLIN) == at("2025-03-01T00:00", BERLIN)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        ("2025-03-29T23:00", "2025-03-30T22:00", 1),
        ("2025-03-29T22:59", "2025-03-30T22:01", 3),
        ("2025-03-29T12:00", "2025-03-29T12:00", 0),
        ("2025-03-29T12:00", "2025-03-28T12:00", 0),
    ],
)
def test_days_are_those_that_it_touches(since: str, until: str, days: int) -> None:
    assert count_days(at(since), at(until), BERLIN) == days


@given(
    st.integers(at("2000-01-01T00:00"), at("2040-01-01T00:00")),
    st.integers(1, 400 * DAY),
    st.sampled_from(PERIOD_NAMES),
    st.sampled_from(range(len(ZONES))),
)
def test_periods_cover_the_time_without_gap(
    since: int, length: int, name: PeriodName, place: int
) -> None:
    zone = ZONES[place]
    periods = cut_into_periods(since, since + length, name, zone)
    assert periods[0].since <= since < periods[0].until
    assert periods[-1].since < since + length <= periods[-1].until
    assert all(a.until == b.since for a, b in pairwise(periods))
    assert all(find_period_start(one.until - 1, name, zone) == one.since for one in periods)
