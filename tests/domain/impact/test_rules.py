"""When a shift is called a change of an endpoint."""

from math import exp2, log

import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.moments import DayRates
from miniapm.domain.impact.rules import Measured, judge_endpoint
from miniapm.domain.impact.segments import MinuteRow, MinuteSums
from miniapm.domain.impact.swings import GUESSED, Swing, Swings
from miniapm.domain.impact.values import Verdict, Window
from miniapm.domain.impact.windows import cut_blocks, plan_windows
from tests.domain.impact.minute_rows import make_rows

AT = 1000 * HOUR
MINUTE_OF = AT // MINUTE
AROUND = range(MINUTE_OF - 60, MINUTE_OF + 62)
PLAN = plan_windows(AT, None, None, None, None)


def _swings(usual: float) -> Swings:
    swing = Swing(0.0, usual, 2016)
    return Swings(swing, swing, swing, swing, Swing(0.0, 2.33, 2016), 3, 0, 0)


def _judge(
    rows: list[MinuteRow], look: int = 10, swings: Swings | None = None, least_us: float = 1000.0
) -> Measured | None:
    minutes = MinuteSums(Window(AT - HOUR, AT + 62 * MINUTE), rows)
    after = PLAN.after(look)
    return judge_endpoint(
        minutes.cut_all(PLAN.pieces),
        minutes.cut_all(cut_blocks(after)),
        minutes.cut(after),
        DayRates(100_000, 50),
        swings or _swings(0.05),
        look,
        least_us,
    )


def _slow_down(factor: float, before_us: float = 100_000.0, requests: int = 300) -> list[MinuteRow]:
    return make_rows(
        AROUND, lambda n: before_us * (factor if n >= MINUTE_OF else 1), lambda _: requests
    )


def _verdict(measured: Measured | None) -> Verdict:
    assert measured is not None
    return measured.verdict


@pytest.mark.parametrize("look", [10, 30, 60])
def test_slower_is_regressed_and_faster_improved(look: int) -> None:
    assert _verdict(_judge(_slow_down(1.3), look)) == "regressed"
    assert _verdict(_judge(_slow_down(1 / 1.3), look)) == "improved"
    assert _verdict(_judge(_slow_down(1.0), look)) == "unchanged"


def test_the_evidence_can_be_checked() -> None:
    measured = _judge(_slow_down(1.5))
    assert measured is not None
    median, p95, errors = measured.changes
    assert [change.metric for change in measured.changes] == ["p50", "p95", "error_rate"]
    assert median.after / median.before == pytest.approx(1.5, abs=0.05)
    assert median.shift == pytest.approx(log(1.5), abs=0.03)
    assert median.score == pytest.approx(median.shift / 0.05)
    assert (median.moments, median.fired, median.shifted) == (2016, 3, 5)
    assert len(median.blocks) == 5
    assert median.score > median.limit
    assert (p95.verdict, errors.verdict) == ("regressed", "unchanged")


def test_what_usually_swings_as_far_is_unchanged() -> None:
    assert _verdict(_judge(_slow_down(1.3), swings=_swings(0.2))) == "not_enough_data"
    assert _verdict(_judge(_slow_down(1.3), swings=_swings(0.14))) == "unchanged"
    assert _verdict(_judge(_slow_down(1.3), swings=_swings(0.1))) == "regressed"


def test_less_than_a_tenth_is_never_called() -> None:
    assert _verdict(_judge(_slow_down(1.07), swings=_swings(0.0301))) == "unchanged"


def test_five_minutes_see_disasters_only() -> None:
    assert _verdict(_judge(_slow_down(1.8), 5)) == "not_enough_data"
    assert _verdict(_judge(_slow_down(2.3), 5)) == "regressed"


def test_moves_of_less_than_the_setting_are_not_called() -> None:
    rows = _slow_down(1.5, before_us=4000.0)
    assert _verdict(_judge(rows, least_us=1000.0)) == "regressed"
    assert _verdict(_judge(rows, least_us=5000.0)) == "not_enough_data"


def test_the_smallest_visible_change_grows_with_the_swing() -> None:
    visible = []
    for usual in (0.03, 0.1, 0.15, 0.3):
        measured = _judge(_slow_down(1.0), swings=_swings(usual))
        assert measured is not None
        assert measured.smallest_visible_change is not None
        visible.append(measured.smallest_visible_change)
    assert visible == sorted(visible)
    assert 0.1 < visible[0] < 0.2
    assert visible[2] < 0.5 < visible[3]


def test_errors_alone_are_a_regression() -> None:
    failing = make_rows(AROUND, failed=lambda n: 3 if n >= MINUTE_OF else n % 20 == 0)
    measured = _judge(failing)
    assert _verdict(measured) == "regressed"
    assert measured is not None
    errors = measured.changes[2]
    assert errors.verdict == "regressed"
    assert (errors.failed_before, errors.failed_after) == (3, 30)
    assert errors.before == pytest.approx(0.0005)
    assert errors.after == pytest.approx(0.03)


def test_fewer_errors_are_no_improvement() -> None:
    failing = make_rows(AROUND, failed=lambda n: 3 if n < MINUTE_OF else 0)
    assert _verdict(_judge(failing)) == "unchanged"


@pytest.mark.parametrize(("before", "after"), [(0, 100), (100, 0), (100, 4)])
def test_with_too_few_requests_nothing_is_measured(before: int, after: int) -> None:
    rows = make_rows(AROUND, requests=lambda n: before if n < MINUTE_OF else after)
    assert _judge([row for row in rows if row[1]]) is None


def test_while_it_learns_only_large_changes_are_called() -> None:
    assert _verdict(_judge(_slow_down(1.4), swings=GUESSED)) == "unchanged"
    assert _verdict(_judge(_slow_down(1.6), swings=GUESSED)) == "regressed"


def test_while_it_learns_chance_is_reckoned_with() -> None:
    """Six requests a minute, of durations all over the place."""

    def scatter(minute: int) -> float:
        return 10_000.0 * exp2(minute * 7 % 11)

    rows = make_rows(AROUND, scatter, lambda _: 6)
    measured = _judge(rows, swings=GUESSED)
    assert measured is not None
    assert measured.changes[0].usual > 0.3
    assert measured.verdict == "not_enough_data"
