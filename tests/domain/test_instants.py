"""Reading instants: every form of the contract, and nothing that could mean two times."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, SECOND, from_datetime
from miniapm.domain.instants import YEAR_2000, check_range, parse_instant

HALF_PAST = 1_705_329_000 * SECOND  # 2024-01-15T14:30:00Z


@pytest.mark.parametrize(
    "written",
    [
        "2024-01-15T14:30:00Z",
        "2024-01-15t14:30:00z",
        "2024-01-15T14:30Z",
        "2024-01-15T14:30:00",
        "2024-01-15 14:30:00",
        "2024-01-15 14:30:00 UTC",
        "2024-01-15T14:30:00.000Z",
        "2024-01-15T16:30:00+02:00",
        "2024-01-15T16:30:00+0200",
        "2024-01-15T16:30:00+02",
        "2024-01-15 16:30:00 +0200",
        "2024-01-15T09:00:00-05:30",
        "20240115T143000Z",
        1705329000,
        1705329000.0,
        1705329000000,
        1705329000000000,
        1705329000000000000,
        "1705329000",
        "1705329000.000",
        "1705329000000",
        "1705329000000000",
        "1705329000000000000",
    ],
)
def test_each_form_means_the_same_instant(written: str | float) -> None:
    assert parse_instant(written) == HALF_PAST


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2024-01-15T14:30:00.123456789Z", 123_456),
        ("2024-01-15T14:30:00,5Z", 500_000),
        (1705329000.25, 250_000),
        ("1705329000.000001", 1),
    ],
)
def test_fractions_are_kept_to_the_microsecond(written: str | float, micros: int) -> None:
    assert parse_instant(written) == HALF_PAST + micros


def test_a_leap_second_is_the_last_moment_of_its_minute() -> None:
    assert parse_instant("2016-12-31T23:59:60Z") == parse_instant("2017-01-01T00:00:00Z") - 1


@pytest.mark.parametrize(
    "written",
    [
        "",
        "now",
        "2024-01-15",
        "14:30:00",
        "15/01/2024 14:30",
        "2024-02-30T00:00:00Z",
        "2024-01-15T24:00:00Z",
        "2024-01-15T14:61:00Z",
        "2024-01-15T14:30:61Z",
        "2024-01-15T14:30:00+24:00",
        "2024-01-15T14:30:00+02:60",
        "2024-01-15T14:30:00 CET",
        "2024-01-15T14:30:00Z[UTC]",
        "\N{ARABIC-INDIC DIGIT TWO}024-01-15T14:30:00Z",
        "12345678",
        "1e9",
        "-1705329000",
        "1" * 21,
        -1,
        float("nan"),
        float("inf"),
        1e300,
        10**20,
        10**400,
        True,
    ],
)
def test_what_is_no_time_is_refused(written: str | float) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|is no date|impossible offset"):
        parse_instant(written)


def test_the_range_is_from_2000_to_a_day_ahead() -> None:
    now = HALF_PAST
    check_range(YEAR_2000, now)
    check_range(now + DAY, now)
    with pytest.raises(ValueError, match="before the year 2000"):
        check_range(YEAR_2000 - 1, now)
    with pytest.raises(ValueError, match="24 hours in the future"):
        check_range(now + DAY + 1, now)


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.from_regex(re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:+.-]{0,20}Z?", re.ASCII))
)
def test_anything_gives_an_instant_or_a_value_error(written: str | float) -> None:
    try:
        instant = parse_instant(written)
    except ValueError:
        return
    assert isinstance(instant, int)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_iso_round_trips_in_any_zone(naive: datetime, offset_minutes: int) -> None:
    instant = from_datetime(naive.replace(tzinfo=UTC))
    moment = naive.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=offset_minutes)))
    assert parse_instant(moment.isoformat()) == instant
    assert parse_instant(moment.strftime("%Y-%m-%d %H:%M:%S.%f %z")) == instant


@given(st.integers(10**9, 4 * 10**9))
def test_unix_times_are_told_apart_by_size(seconds: int) -> None:
    wanted = seconds * SECOND
    for scale in (1, 1000, 10**6, 10**9):
        assert parse_instant(seconds * scale) == wanted
        assert parse_instant(str(seconds * scale)) == wanted
