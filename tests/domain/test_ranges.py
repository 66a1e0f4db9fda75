"""Ranges: which steps, from which rollups, and how a stretch is covered by few rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.ranges import (
    KEPT,
    MAX_POINTS,
    Tile,
    TimeRange,
    range_between,
    range_named,
    tile,
)

NOW = 1_760_000_000_000_000

minutes = st.integers(0, 400 * 24 * 60).map(lambda count: NOW // MINUTE * MINUTE - count * MINUTE)


def minutes_of(part: Tile) -> list[int]:
    """The minutes in it, which it must hold as whole rows."""
    assert part.begin % (part.resolution * MINUTE) == 0
    assert part.end % (part.resolution * MINUTE) == 0
    return list(range(part.begin, part.end, MINUTE))


@given(minutes, st.integers(1, 3 * 24 * 60))
def test_tiles_hold_each_minute_once(since: int, length: int) -> None:
    until = since + length * MINUTE
    tiles = tile(since, until)
    covered = [minute for part in tiles for minute in minutes_of(part)]
    assert covered == list(range(since, until, MINUTE))
    rows = sum((part.end - part.begin) // (part.resolution * MINUTE) for part in tiles)
    assert rows <= length // 60 + 2 * (9 + 5)


@given(st.integers(0, 10**16), st.integers(1, DAY))
def test_tiles_reach_out_to_whole_minutes(since: int, length: int) -> None:
    tiles = tile(since, since + length)
    assert 0 <= since - tiles[0].begin < MINUTE
    assert 0 <= tiles[-1].end - (since + length) < MINUTE


def test_nothing_takes_no_rows() -> None:
    assert tile(NOW - NOW % MINUTE, NOW - NOW % MINUTE) == []


@pytest.mark.parametrize(
    ("name", "step", "resolution", "length"),
    [
        ("1h", MINUTE, 1, HOUR),
        ("6h", MINUTE, 1, 6 * HOUR),
        ("24h", 10 * MINUTE, 10, DAY),
        ("7d", HOUR, 60, 7 * DAY),
        ("30d", 3 * HOUR, 60, 30 * DAY),
        ("90d", 6 * HOUR, 60, 90 * DAY),
    ],
)
def test_a_named_range_ends_with_the_present_step(
    name: str, step: int, resolution: int, length: int
) -> None:
    found = range_named(name, NOW)
    assert (found.step_us, found.resolution_minutes) == (step, resolution)
    assert found.until - found.since == length
    assert found.until - step <= NOW < found.until
    assert len(found.starts) <= MAX_POINTS


@given(minutes, st.integers(1, 400 * 24 * 60))
def test_a_chosen_range_has_few_points_of_rows_that_exist(since: int, length: int) -> None:
    until = since + length * MINUTE
    found = range_between(since, until, NOW)
    step, resolution = found.step_us, found.resolution_minutes
    assert len(found.starts) <= MAX_POINTS + 1
    assert (found.until - found.since) % step == 0
    assert step % (resolution * MINUTE) == 0
    assert since >= NOW - KEPT[resolution] or resolution == 60
    latest = min(until, NOW + DAY)
    assert found.since <= since
    assert latest <= found.until < latest + step


@given(st.integers(-(10**15), 2 * 10**17), st.integers(1, 2 * 10**17))
def test_whatever_is_chosen_stays_where_there_can_be_data(since: int, length: int) -> None:
    found = range_between(since, since + length, NOW)
    assert 1 <= len(found.starts) <= MAX_POINTS + 1
    assert found.since > NOW - 430 * DAY
    assert found.until < NOW + 30 * DAY


def test_one_side_is_enough() -> None:
    assert range_between(NOW - HOUR, None, NOW).until >= NOW
    day = range_between(None, NOW - DAY, NOW)
    assert day.since <= NOW - 2 * DAY < day.since + day.step_us


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie before the end"):
        range_between(NOW, NOW - 1, NOW)


def test_old_minutes_are_read_from_what_is_left_of_them() -> None:
    found = [range_between(NOW - age, NOW - age + HOUR, NOW) for age in (DAY, 20 * DAY, 100 * DAY)]
    assert [r.resolution_minutes for r in found] == [1, 10, 60]


@given(st.integers(1, 60))
def test_coarser_has_at_most_so_many_points(points: int) -> None:
    day = range_named("24h", NOW)
    found = day.coarser(points)
    assert len(found.starts) <= points + 1
    assert found.since <= day.since
    assert found.until >= day.until


def test_steps_begin_one_after_the_other() -> None:
    assert list(TimeRange(0, 3 * MINUTE, 1, MINUTE).starts) == [0, MINUTE, 2 * MINUTE]
