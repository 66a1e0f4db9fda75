"""Replaying the comparison at moments of the past."""

from array import array

import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.moments import (
    DOWN50,
    HOUR_REACH,
    MISSING,
    NUMBERS,
    PER_HOUR,
    PER_MOMENT,
    UNITS,
    UP50,
    UP95,
    Z_ENOUGH,
    DayRates,
    Z,
    find_base_rate,
    replay_hour,
)
from miniapm.domain.impact.segments import MinuteRow, MinuteSums
from miniapm.domain.impact.shifts import find_baseline, measure_latency
from miniapm.domain.impact.values import Window
from miniapm.domain.impact.windows import LOOKS, SPARE_BLOCKS, WARM_UP, cut_blocks
from tests.domain.impact.minute_rows import make_rows, make_segment

START = 500 * HOUR
FIRST = START // MINUTE
AROUND = range(FIRST - 60, FIRST + 50 + 62)
DAY = DayRates(100_000, 10)
WINDOW = Window(START + HOUR_REACH.since, START + HOUR_REACH.until)


def _replay(rows: list[MinuteRow]) -> "array[int] | None":
    return replay_hour(MinuteSums(WINDOW, rows), START, DAY, 1000.0)


def _read(numbers: "array[int]", moment: int, look: int, number: int) -> float:
    at = moment * PER_MOMENT + LOOKS.index(look) * NUMBERS + number
    return numbers[at] / UNITS[number]


def test_nothing_served_is_nothing_to_replay() -> None:
    assert _replay([]) is None
    assert _replay(make_rows(AROUND, requests=lambda _: 0)[:0]) is None


def test_too_few_requests_are_missing() -> None:
    """Two a minute are enough for half an hour, not for ten minutes."""
    numbers = _replay(make_rows(AROUND, requests=lambda _: 2))
    assert numbers is not None
    looks = [numbers[LOOKS.index(look) * NUMBERS] == MISSING for look in LOOKS]
    assert looks == [True, True, False, False]


def test_a_quiet_endpoint_does_not_move() -> None:
    numbers = _replay(make_rows(AROUND))
    assert numbers is not None
    assert len(numbers) == PER_HOUR * PER_MOMENT
    assert MISSING not in numbers
    for moment in range(PER_HOUR):
        for look in LOOKS:
            for number in (UP50, DOWN50, UP95):
                assert _read(numbers, moment, look, number) == pytest.approx(0, abs=1e-3)


def test_a_step_is_seen_at_its_moment_and_no_other() -> None:
    """From 20 minutes past on everything takes twice as long."""
    slower = make_rows(AROUND, lambda n: 200_000.0 if n >= FIRST + 20 else 100_000.0)
    numbers = _replay(slower)
    assert numbers is not None
    ups = [_read(numbers, moment, 10, UP50) for moment in range(PER_HOUR)]
    assert ups[2] == pytest.approx(0.693, abs=0.05)
    assert max(ups[:2] + ups[3:]) < 0.1


def test_a_rise_of_errors_is_seen_with_and_without_enough_of_them() -> None:
    failing = make_rows(AROUND, failed=lambda n: 5 if n >= FIRST + 2 else 0)
    numbers = _replay(failing)
    assert numbers is not None
    z = _read(numbers, 0, 10, Z)
    assert z > 5
    assert _read(numbers, 0, 10, Z_ENOUGH) == z
    few = make_rows(AROUND, failed=lambda n: int(n == FIRST + 5))
    numbers = _replay(few)
    assert numbers is not None
    assert _read(numbers, 0, 10, Z) > 0
    assert _read(numbers, 0, 10, Z_ENOUGH) == 0


def test_numbers_that_do_not_fit_are_cut_off() -> None:
    extreme = make_rows(AROUND, lambda n: 500_000_000.0 if n >= FIRST else 10.0)
    numbers = _replay(extreme)
    assert numbers is not None
    assert numbers[UP50] == 32767
    assert MISSING not in numbers


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("moment", [0, 3, 5])
def test_a_moment_is_what_a_deploy_at_that_time_would_measure(moment: int, look: int) -> None:
    rows = make_rows(AROUND, lambda n: 80_000.0 + 900 * ((n * 7919) % 101))
    sums = MinuteSums(WINDOW, rows)
    at = START + moment * 10 * MINUTE
    pieces = sums.cut_all(
        [Window(at - k * 10 * MINUTE, at - (k - 1) * 10 * MINUTE) for k in range(6, 0, -1)]
    )
    after = Window(at + WARM_UP, at + WARM_UP + look * MINUTE)
    shift = measure_latency(
        find_baseline(pieces, 0.5), sums.cut_all(cut_blocks(after)), sums.cut(after),
        0.5, 1000.0, SPARE_BLOCKS[look],
    )  # fmt: skip
    numbers = _replay(rows)
    assert numbers is not None
    assert _read(numbers, moment, look, UP50) == pytest.approx(shift.up, abs=1 / UNITS[UP50])
    assert _read(numbers, moment, look, DOWN50) == pytest.approx(shift.down, abs=1 / UNITS[UP50])


def test_errors_are_compared_with_the_worse_of_the_last_hour_and_day() -> None:
    pieces = [make_segment({100: 100}, failed=2), make_segment({100: 100})]
    assert find_base_rate(pieces, DayRates(1000, 5)).share == pytest.approx(0.01)
    assert find_base_rate(pieces, DayRates(1000, 50)).share == pytest.approx(0.05)
    assert find_base_rate(pieces, DayRates(0, 0)).share == pytest.approx(0.01)
