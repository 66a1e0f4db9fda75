"""Many histograms added up at once come to the same as one by one."""

from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.histograms import (
    Buckets,
    add_encoded,
    add_up,
    encode_buckets,
    find_percentiles,
    find_percentiles_of,
    merge_encoded,
)

histograms = st.dictionaries(st.integers(0, 1008), st.integers(1, 2**33), max_size=20)


@given(st.lists(histograms, max_size=8))
def test_sums_are_those_of_adding_one_by_one(parts: list[Buckets]) -> None:
    blobs = [encode_buckets(part) for part in parts]
    expected: Buckets = {}
    for blob in blobs:
        add_encoded(expected, blob)
    assert merge_encoded(blobs) == expected
    shares = (0.0, 0.5, 0.95, 0.99, 1.0)
    assert find_percentiles_of(add_up(blobs), shares) == find_percentiles(expected, shares)
