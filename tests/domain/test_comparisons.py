"""What is compared around a deploy, and what of it is told."""

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.histograms import bucket_of
from miniapm.domain.spans.comparisons import MIN_CALLS, Change, Window, compare, find_windows
from tests.factories import START

NOON = START - START % DAY + 12 * HOUR


def test_as_long_before_as_after_without_the_minute_of_the_deploy() -> None:
    windows = find_windows(NOON + 30 * SECOND, NOON + 11 * MINUTE, NOON + 11 * MINUTE)
    assert windows is not None
    assert windows.after == Window(NOON + MINUTE, NOON + 11 * MINUTE)
    assert windows.before == Window(NOON - 10 * MINUTE, NOON)


def test_a_deploy_on_the_minute_loses_nothing() -> None:
    windows = find_windows(NOON, NOON + 10 * MINUTE, NOON + 10 * MINUTE)
    assert windows is not None
    assert windows.before.until == windows.after.since == NOON


def test_it_ends_now_even_if_the_page_goes_on() -> None:
    windows = find_windows(NOON, NOON + HOUR, NOON + 5 * MINUTE)
    assert windows is not None
    assert windows.after.until == NOON + 5 * MINUTE


@pytest.mark.parametrize(
    ("after", "step"), [(HOUR, MINUTE), (3 * HOUR, 10 * MINUTE), (2 * DAY, HOUR)]
)
def test_the_longer_the_coarser(after: int, step: int) -> None:
    windows = find_windows(NOON + 1, NOON + after, NOON + after)
    assert windows is not None
    assert windows.after.since == NOON + step
    assert windows.before.until == NOON
    assert windows.after.until - windows.after.since == windows.before.until - windows.before.since


def test_what_is_old_is_cut_where_rollups_still_can() -> None:
    windows = find_windows(NOON + MINUTE, NOON + HOUR, NOON + 20 * DAY)
    assert windows is not None
    assert windows.before.until == NOON
    assert windows.after.since == NOON + 10 * MINUTE


@pytest.mark.parametrize("until", [NOON, NOON + 20 * SECOND, NOON - HOUR])
def test_nothing_right_after_a_deploy(until: int) -> None:
    assert find_windows(NOON + 10 * SECOND, until, NOON + HOUR) is None


def test_figures_of_both_sides() -> None:
    change = compare([0] * bucket_of(10_000) + [100], [0] * bucket_of(20_000) + [60])
    assert (change.before_calls, change.after_calls) == (100, 60)
    assert change.before_p95_us == pytest.approx(10_000, rel=0.025)
    assert change.after_p95_us == pytest.approx(20_000, rel=0.025)
    assert change.share == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(("before", "after"), [(MIN_CALLS - 1, MIN_CALLS), (MIN_CALLS, 0)])
def test_too_few_calls_are_not_compared(before: int, after: int) -> None:
    assert Change(before, after, 10_000, 20_000).share is None
    assert Change(MIN_CALLS, MIN_CALLS, 10_000, 20_000).share == 1


def test_nothing_is_no_change() -> None:
    assert compare([], []) == Change(0, 0, None, None)
    assert compare([], []).share is None
