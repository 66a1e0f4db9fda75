"""The labels of an axis of time: whole hours and days where the viewer is, clock changes too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.instants import parse_instant
from miniapm.web.ticks import find_ticks
from miniapm.web.time_zone import Zone, make_zone


def zone(name: str) -> Zone:
    found = make_zone(name)
    assert found is not None
    return found


def labels(since: str, length: int, name: str) -> list[str]:
    begin = parse_instant(since)
    return [tick.label for tick in find_ticks(begin, begin + length, zone(name), 12)]


def test_labels_are_round_where_the_viewer_is() -> None:
    assert labels("2025-10-09T08:53:00Z", HOUR, "Asia/Kolkata")[:3] == ["14:30", "14:40", "14:50"]
    assert labels("2025-10-09T20:00:00Z", 6 * HOUR, "Europe/Berlin")[:3] == [
        "22:00", "23:00", "10 Oct",
    ]  # fmt: skip


def test_a_day_is_labelled_by_its_date() -> None:
    assert labels("2025-10-01T00:00:00Z", 7 * DAY, "UTC") == [
        "1 Oct", "2 Oct", "3 Oct", "4 Oct", "5 Oct", "6 Oct", "7 Oct",
    ]  # fmt: skip


def test_an_hour_that_comes_twice_is_labelled_twice() -> None:
    # clocks in Berlin go back from 03:00 to 02:00 on 26 October 2025 at 01:00Z
    assert labels("2025-10-25T22:00:00Z", 6 * HOUR, "Europe/Berlin") == [
        "26 Oct", "01:00", "02:00", "02:00", "03:00", "04:00",
    ]  # fmt: skip


def test_an_hour_that_never_comes_has_no_label() -> None:
    assert labels("2025-03-29T23:00:00Z", 6 * HOUR, "Europe/Berlin") == [
        "30 Mar", "01:00", "03:00", "04:00", "05:00", "06:00",
    ]  # fmt: skip


def test_zones_differ_in_labels_and_not_in_instants() -> None:
    since = parse_instant("2025-10-09T00:00:00Z")
    in_utc = find_ticks(since, since + DAY, zone("UTC"))
    in_tokyo = find_ticks(since, since + DAY, zone("Asia/Tokyo"))
    by_instant = {tick.at: tick.label for tick in in_tokyo}
    assert {tick.at: tick.label for tick in in_utc}[since + 3 * HOUR] == "03:00"
    assert by_instant[since + 3 * HOUR] == "12:00"


@given(
    st.integers(1_500_000_000, 1_900_000_000),
    st.integers(5, 400 * 24 * 60),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_ticks_are_few_in_order_and_inside(second: int, length: int, name: str) -> None:
    since, until = second * 1_000_000, second * 1_000_000 + length * MINUTE
    found = [tick.at for tick in find_ticks(since, until, zone(name))]
    assert found == sorted(set(found))
    # an hour that comes twice may add a few
    assert len(found) <= 12 + 3
    assert all(since <= at < until for at in found)


@pytest.mark.parametrize("length", [HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY])
def test_every_range_has_some(length: int) -> None:
    assert len(find_ticks(1_760_000_000_000_000, 1_760_000_000_000_000 + length, Zone())) >= 4
