"""A segment is what adding its minutes one by one gives."""

from math import ceil, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import MINUTE
from miniapm.domain.histograms import (
    SCALE,
    Buckets,
    add_encoded,
    bucket_of,
    encode_buckets,
    upper_bound_of,
)
from miniapm.domain.impact.segments import MinuteRow, MinuteSums
from miniapm.domain.impact.values import Window
from tests.domain.impact.minute_rows import make_segment

LN_BUCKET = log(2) / SCALE
MINUTES = 90

few = st.dictionaries(st.integers(0, 480), st.integers(1, 9), min_size=1, max_size=12)
many = st.builds(
    lambda first, counts: {first + i: count for i, count in enumerate(counts)},
    st.integers(0, 300),
    st.lists(st.integers(1, 255), min_size=3, max_size=80),
)
huge = st.dictionaries(st.integers(200, 260), st.integers(1, 90_000), min_size=1, max_size=60)
minute_rows = st.builds(
    lambda minute, buckets, failed: (
        minute * MINUTE,
        sum(buckets.values()),
        min(failed, sum(buckets.values())),
        encode_buckets(buckets),
    ),
    st.integers(-5, MINUTES + 5),
    st.one_of(few, many, huge),
    st.integers(0, 3),
)


def _find_bucket(buckets: Buckets, share: float) -> int:
    """The bucket in which the quantile lies, by counting up."""
    rank, seen = share * sum(buckets.values()), 0
    for number in sorted(buckets):
        seen += buckets[number]
        if seen >= rank - 1e-9:
            return number
    raise AssertionError("nothing counted")


@given(st.lists(minute_rows, max_size=25), st.integers(0, MINUTES), st.integers(0, 60))
def test_a_segment_is_the_sum_of_its_minutes(
    rows: list[MinuteRow], begin: int, length: int
) -> None:
    window = Window(begin * MINUTE, min(MINUTES, begin + length) * MINUTE)
    segment = MinuteSums(Window(0, MINUTES * MINUTE), rows).cut(window)
    inside = [row for row in rows if window.since <= row[0] < window.until]
    expected: Buckets = {}
    for row in inside:
        add_encoded(expected, row[3])
    assert segment.count == sum(row[1] for row in inside) == sum(expected.values())
    assert segment.failed == sum(row[2] for row in inside)
    for share in (0.5, 0.95, 1.0) if expected else ():
        bucket = _find_bucket(expected, share)
        found = segment.ln_quantile(share) / LN_BUCKET
        assert bucket - 1 - 1e-9 <= found <= bucket + 1e-9


@pytest.mark.parametrize(("share", "part"), [(0.5, 0.5), (0.95, 0.95), (1.0, 1.0)])
def test_a_quantile_is_drawn_straight_through_its_bucket(share: float, part: float) -> None:
    segment = make_segment({160: 1000})
    assert segment.ln_quantile(share) == pytest.approx((159 + part) * LN_BUCKET)


def test_a_quantile_between_two_buckets_is_the_end_of_the_lower_one() -> None:
    segment = make_segment({100: 50, 300: 50})
    assert segment.ln_quantile(0.5) == pytest.approx(log(upper_bound_of(100)))


@given(st.lists(st.integers(100, 10_000_000), min_size=50, max_size=300))
def test_quantiles_are_within_a_bucket_of_the_exact_ones(durations: list[int]) -> None:
    buckets: Buckets = {}
    for duration in durations:
        buckets[bucket_of(duration)] = buckets.get(bucket_of(duration), 0) + 1
    segment = make_segment(buckets)
    for share in (0.5, 0.95):
        exact = sorted(durations)[ceil(share * len(durations)) - 1]
        assert abs(segment.ln_quantile(share) - log(exact)) <= LN_BUCKET + 1e-9


def test_a_minute_of_several_versions_is_counted_together() -> None:
    rows = [
        (0, 3, 1, encode_buckets({100: 3})),
        (0, 2, 0, encode_buckets({120: 2})),
    ]
    segment = MinuteSums(Window(0, MINUTE), rows).cut(Window(0, MINUTE))
    assert (segment.count, segment.failed) == (5, 1)
    assert segment.ln_quantile(1.0) == pytest.approx(120 * LN_BUCKET)


@pytest.mark.parametrize("requests", [1_000, 7_000])
def test_busy_minutes_do_not_run_over(requests: int) -> None:
    """All minutes have more requests than 16 bits hold; with 1,000 each no hour of them has."""
    row = encode_buckets({100: requests * 6 // 7, 200: requests - requests * 6 // 7})
    rows = [(n * MINUTE, requests, 0, row) for n in range(MINUTES)]
    window = Window(20 * MINUTE, 80 * MINUTE)
    segment = MinuteSums(Window(0, MINUTES * MINUTE), rows).cut(window)
    assert segment.count == 60 * requests
    assert segment.ln_quantile(0.5) < 100 * LN_BUCKET < segment.ln_quantile(0.95)


def test_nothing_served_is_nothing() -> None:
    segment = MinuteSums(Window(0, MINUTE), []).cut(Window(0, MINUTE))
    assert (segment.count, segment.failed) == (0, 0)
