"""What moments of the past teach about the usual swing of an endpoint."""

from array import array
from collections.abc import Callable
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.impact.moments import (
    DOWN50,
    DOWN95,
    MISSING,
    NUMBERS,
    PER_MOMENT,
    UNITS,
    UP50,
    UP95,
    Z_ENOUGH,
    Z,
)
from miniapm.domain.impact.swings import (
    GUESSED,
    LEAST_MOMENTS,
    LIMITS,
    Swing,
    find_fired,
    learn,
    smallest_visible,
)
from miniapm.domain.impact.windows import LOOKS

FORTNIGHT = 2016


def _make_moments(count: int, number: int, value: Callable[[int], float]) -> "array[int]":
    """Moments at which nothing moves but one number, the same at every look."""
    moments = array("h", bytes(2 * PER_MOMENT * count))
    for moment in range(count):
        for look in range(len(LOOKS)):
            place = moment * PER_MOMENT + look * NUMBERS + number
            moments[place] = round(value(moment) * UNITS[number])
    return moments


def test_the_usual_swing_is_how_far_99_of_100_lie_above_the_median() -> None:
    moments = _make_moments(1000, UP50, lambda n: -0.1 + 0.001 * (n % 500))
    swings = learn(moments).swings[30]
    assert swings.up50.typical == pytest.approx(0.15, abs=0.002)
    assert swings.up50.usual == pytest.approx(0.2475, abs=0.003)
    assert swings.up50.moments == 1000


@pytest.mark.parametrize("number", [UP50, DOWN50, UP95, DOWN95])
def test_a_steady_endpoint_is_granted_three_percent(number: int) -> None:
    swings = learn(_make_moments(1000, number, lambda _: 0.0)).swings[10]
    assert {swings.up50.usual, swings.down50.usual} == {0.03}
    assert {swings.up95.usual, swings.down95.usual} == {0.03}
    assert swings.z.usual == 2.33


def test_the_swing_of_errors_is_counted_from_nought() -> None:
    swings = learn(_make_moments(1000, Z, lambda n: 2.0 + (n % 100) / 25)).swings[10]
    assert swings.z.typical == 0.0
    assert swings.z.usual == pytest.approx(5.96, abs=0.05)


def test_with_too_few_moments_the_swing_is_guessed() -> None:
    learned = learn(_make_moments(LEAST_MOMENTS - 1, UP50, lambda _: 0.5))
    assert learned.swings[10] == GUESSED
    assert learned.swings[10].is_learning
    assert learned.fired[10] == frozenset()
    assert not learn(_make_moments(LEAST_MOMENTS, UP50, lambda _: 0.5)).swings[10].is_learning


def test_each_look_is_learned_by_itself() -> None:
    """A quiet service has no requests enough for the short looks."""
    moments = _make_moments(300, UP50, lambda n: 0.1 * (n % 2))
    for begin in range(0, len(moments), PER_MOMENT):
        moments[begin : begin + 2 * NUMBERS] = array("h", [MISSING]) * (2 * NUMBERS)
    learned = learn(moments)
    assert [learned.swings[look].is_learning for look in LOOKS] == [True, True, False, False]


def test_moments_that_are_left_out_teach_nothing() -> None:
    moments = _make_moments(1000, UP50, lambda n: 0.6 if 100 <= n < 130 else 0.0)
    learned = learn(moments, left_out=range(100, 130))
    assert learned.swings[60].up50 == Swing(0.0, 0.03, 970)
    assert learned.fired[60] == frozenset()
    assert len(learned.places) == 970


def test_moments_at_which_the_rule_fires_are_told() -> None:
    moments = _make_moments(FORTNIGHT, UP50, lambda n: 0.5 if n in (700, 1500) else 0.0)
    learned = learn(moments)
    assert learned.fired[10] == learned.fired[60] == {700, 1500}
    assert learned.swings[10].fired50 == 2
    assert learned.swings[10].fired95 == learned.swings[10].fired_errors == 0


def test_five_minutes_that_are_half_as_slow_again_do_not_fire() -> None:
    moments = _make_moments(FORTNIGHT, UP50, lambda n: log(1.5) if n == 700 else 0.0)
    assert learn(moments).fired[5] == frozenset()
    moments = _make_moments(FORTNIGHT, UP50, lambda n: log(2.1) if n == 700 else 0.0)
    assert learn(moments).fired[5] == {700}


def test_errors_fire_only_where_there_are_enough() -> None:
    """z alone is high with a handful of errors, too."""
    moments = _make_moments(FORTNIGHT, Z, lambda n: 9.0 if n == 700 else 0.0)
    assert learn(moments).fired[10] == frozenset()
    moments = _make_moments(FORTNIGHT, Z_ENOUGH, lambda n: 9.0 if n == 700 else 0.0)
    assert learn(moments).fired[10] == {700}


shifts = st.lists(st.floats(-0.5, 1.5), min_size=LEAST_MOMENTS, max_size=300)


@given(shifts, st.sampled_from(LOOKS))
def test_fired_moments_are_those_of_the_rule_with_what_was_learned(
    values: list[float], look: int
) -> None:
    moments = _make_moments(len(values), UP95, lambda n: values[n])
    learned = learn(moments)
    swing = learned.swings[look].up95
    least = max(LIMITS[look].least_shift, swing.typical + LIMITS[look].p95 * swing.usual)
    expected = {
        n for n, value in enumerate(values) if round(value * UNITS[UP95]) >= least * UNITS[UP95]
    }
    assert learned.fired[look] == expected
    assert find_fired(moments, learned.swings[look], look) == expected


@given(st.floats(-0.2, 0.2), st.floats(0.03, 0.5), st.sampled_from(LOOKS))
def test_what_could_be_seen_is_more_than_what_is_called(
    typical: float, usual: float, look: int
) -> None:
    limits = LIMITS[look]
    visible = smallest_visible(Swing(typical, usual, 100), limits.p50, limits.least_shift)
    called = max(limits.least_shift, typical + limits.p50 * usual)
    assert visible + typical > called
