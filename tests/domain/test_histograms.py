"""Histograms: every duration in one bucket, merging is adding, percentiles near the exact ones."""

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.histograms import (
    add_encoded,
    bucket_of,
    decode_buckets,
    encode_buckets,
    find_percentiles,
    middle_of,
    upper_bound_of,
)

DURATIONS = st.integers(0, 2**45)
BUCKETS = st.one_of(
    st.dictionaries(st.integers(0, 2**16 - 1), st.integers(1, 2**63), max_size=60),
    st.dictionaries(st.integers(40, 80), st.integers(1, 2**17), max_size=40),
)


@given(DURATIONS)
def test_a_duration_lies_within_its_bucket(duration: int) -> None:
    bucket = bucket_of(duration)
    assert duration <= upper_bound_of(bucket) * (1 + 1e-9)
    assert bucket == 0 or duration > upper_bound_of(bucket - 1) * (1 - 1e-9)


@given(st.integers(2, 2**45))
def test_the_middle_of_a_bucket_is_near_every_value_in_it(duration: int) -> None:
    assert abs(middle_of(bucket_of(duration)) / duration - 1) < 0.0222


@given(BUCKETS)
def test_what_is_written_is_read(buckets: dict[int, int]) -> None:
    assert dict(decode_buckets(encode_buckets(buckets))) == buckets


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_merging_is_counting_together(first: list[int], second: list[int]) -> None:
    merged = dict(Counter(map(bucket_of, first)))
    add_encoded(merged, encode_buckets(Counter(map(bucket_of, second))))
    assert merged == Counter(map(bucket_of, first + second))


@given(st.lists(st.integers(2, 2**40), min_size=1, max_size=300))
def test_percentiles_are_within_two_and_a_half_percent(durations: list[int]) -> None:
    shares = (0.5, 0.95, 0.99)
    found = find_percentiles(Counter(map(bucket_of, durations)), shares)
    ordered = sorted(durations)
    for share, value in zip(shares, found, strict=True):
        exact = ordered[ceil(share * len(ordered)) - 1]
        assert value is not None
        assert abs(value / exact - 1) < 0.025


def test_nothing_has_no_percentiles() -> None:
    assert find_percentiles({}, (0.5, 0.95)) == [None, None]
