"""How far an endpoint moved: what lasts and began at the deploy, nothing else."""

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.impact.segments import Segment
from miniapm.domain.impact.shifts import (
    LEAST_SHIFT,
    Baseline,
    BaseRate,
    LatencyShift,
    find_baseline,
    measure_errors,
    measure_latency,
)
from tests.domain.impact.minute_rows import make_segment, spread

MS = 1000.0
BEFORE = make_segment(spread(100 * MS, 3000))
BASE = find_baseline([BEFORE] * 6, 0.5)


def _after(factors: list[float], requests: int = 600) -> tuple[list[Segment], Segment]:
    """Blocks that take so much longer, and all of them together."""
    parts = [spread(100 * MS * factor, requests) for factor in factors]
    whole: dict[int, int] = {}
    for part in parts:
        for bucket, count in part.items():
            whole[bucket] = whole.get(bucket, 0) + count
    blocks = [make_segment(part) if part else make_segment({}) for part in parts]
    return blocks, make_segment(whole)


def _measure(
    factors: list[float], spare: int = 1, least_us: float = 0.0, requests: int = 600
) -> LatencyShift:
    return measure_latency(BASE, *_after(factors, requests), 0.5, least_us, spare)


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("spare", [0, 1])
def test_a_shift_of_everything_is_measured_as_it_is(share: float, spare: int) -> None:
    blocks, whole = _after([1.2] * 5)
    shift = measure_latency(find_baseline([BEFORE] * 6, share), blocks, whole, share, 0.0, spare)
    # bucket bounds grow by 4.4 %
    assert shift.up == pytest.approx(log(1.2), abs=0.02)
    assert shift.down == pytest.approx(-log(1.2), abs=0.02)
    assert shift.after - shift.before == pytest.approx(log(1.2), abs=0.02)


def test_faster_is_the_mirror_image() -> None:
    shift = _measure([1 / 1.5] * 5)
    assert shift.down == pytest.approx(log(1.5), abs=0.02)
    assert shift.up == pytest.approx(-log(1.5), abs=0.02)


def test_a_burst_in_one_block_does_not_count() -> None:
    assert _measure([1, 1, 3, 1, 1]).up == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("spare", "expected"), [(0, 0.0), (1, log(2))])
def test_a_burst_in_four_blocks_counts_only_where_one_may_miss(spare: int, expected: float) -> None:
    assert _measure([2, 2, 2, 2, 1], spare).up == pytest.approx(expected, abs=0.02)


def test_with_few_requests_one_block_may_miss_everywhere() -> None:
    assert _measure([2, 2, 2, 2, 1], 0, requests=199).up == pytest.approx(log(2), abs=0.03)
    assert _measure([2, 2, 2, 2, 1], 0, requests=200).up == pytest.approx(0, abs=0.03)


def test_with_very_few_requests_they_are_taken_together() -> None:
    shift = _measure([2, 2, 2, 1, 1], 0, requests=19)
    assert shift.up == pytest.approx(shift.after - BASE.usual)
    assert shift.up > 0.3


def test_blocks_without_requests_show_nothing() -> None:
    blocks, whole = _after([2] * 4)
    empty = make_segment({})
    assert measure_latency(BASE, [*blocks, empty], whole, 0.5, 0.0, 1).up > 0.6
    assert measure_latency(BASE, [*blocks, empty], whole, 0.5, 0.0, 0).up == 0
    assert measure_latency(BASE, [*blocks[:3], empty, empty], whole, 0.5, 0.0, 1).up == 0


def test_it_has_to_have_begun_at_the_deploy() -> None:
    """It was slow in the last ten minutes already, though not in the hour."""
    slow = make_segment(spread(150 * MS, 3000))
    base = find_baseline([BEFORE] * 5 + [slow], 0.5)
    shift = measure_latency(base, *_after([1.5] * 5), 0.5, 0.0, 1)
    assert shift.up == pytest.approx(0, abs=0.02)
    assert shift.before == pytest.approx(log(100 * MS), abs=0.06)


def test_it_has_to_be_more_than_the_hour_knows() -> None:
    """The last ten minutes were quick, and it went back to what is usual."""
    quick = make_segment(spread(60 * MS, 3000))
    base = find_baseline([BEFORE] * 5 + [quick], 0.5)
    assert measure_latency(base, *_after([1] * 5), 0.5, 0.0, 1).up == pytest.approx(0, abs=0.02)


def test_pieces_that_served_nothing_are_left_out_of_the_baseline() -> None:
    assert find_baseline([make_segment({}), BEFORE, make_segment({})], 0.5) == Baseline(
        BEFORE.ln_quantile(0.5), BEFORE.ln_quantile(0.5)
    )


@pytest.mark.parametrize("factor", [1.5, 1 / 1.5])
def test_a_move_of_too_little_time_is_held_below_what_counts(factor: float) -> None:
    kept, held = _measure([factor] * 5, least_us=20 * MS), _measure([factor] * 5, least_us=90 * MS)
    assert max(kept.up, kept.down) == pytest.approx(log(1.5), abs=0.03)
    assert 0.09 < max(held.up, held.down) < LEAST_SHIFT


@given(
    st.lists(st.floats(0.3, 3), min_size=5, max_size=5),
    st.integers(0, 1),
    st.sampled_from([0.0, 5 * MS]),
)
def test_nothing_moves_both_ways(factors: list[float], spare: int, least_us: float) -> None:
    shift = _measure(factors, spare, least_us)
    assert min(shift.up, shift.down) <= 0
    assert shift.up <= max(0, log(max(factors)) + 0.03)
    assert exp(shift.after) > 0


QUIET = BaseRate(100, 100_000)


def _fail(failed: list[int], requests: int = 1000) -> tuple[list[Segment], Segment]:
    blocks = [make_segment({260: requests}, failed=n) for n in failed]
    return blocks, make_segment({260: requests * len(failed)}, failed=sum(failed))


def test_errors_that_rise_everywhere_are_a_rise() -> None:
    shift = measure_errors(QUIET, *_fail([10, 11, 9, 10, 10]))
    assert shift.passes
    assert shift.z > 5
    assert (shift.before, shift.after) == (0.001, 0.01)
    assert shift.blocks == (0.01, 0.011, 0.009, 0.01, 0.01)


def test_the_usual_errors_are_none() -> None:
    shift = measure_errors(QUIET, *_fail([1, 0, 2, 1, 1]))
    assert not shift.passes
    assert abs(shift.z) < 0.5


@pytest.mark.parametrize(
    ("failed", "passes"),
    [
        ([4, 0, 0, 0, 0], False),
        ([5, 0, 0, 0, 0], False),
        ([3, 2, 0, 0, 0], True),
        ([6, 5, 0, 0, 0], False),
        ([5, 4, 2, 0, 0], True),
    ],
)
def test_there_have_to_be_some_in_several_blocks(failed: list[int], passes: bool) -> None:
    assert measure_errors(BaseRate(0, 10_000), *_fail(failed, 100)).passes is passes


@pytest.mark.parametrize(
    ("base", "passes"), [(BaseRate(4, 1000), True), (BaseRate(6, 1000), False)]
)
def test_the_share_has_to_double(base: BaseRate, passes: bool) -> None:
    assert measure_errors(base, *_fail([10] * 5)).passes is passes


def test_the_share_has_to_rise_by_three_thousandths() -> None:
    assert not measure_errors(BaseRate(0, 100_000), *_fail([3, 3, 3, 3, 2])).passes
    assert measure_errors(BaseRate(0, 100_000), *_fail([3, 3, 3, 3, 3])).passes


def test_many_errors_in_one_block_are_a_burst() -> None:
    steady = measure_errors(QUIET, *_fail([12] * 5))
    burst = measure_errors(QUIET, *_fail([56, 1, 1, 1, 1]))
    assert burst.z < 1 < 8 < steady.z
