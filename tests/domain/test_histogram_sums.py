"""Many histograms added up at once come to the same as one by one."""

from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.histogram_sums import (
    count_lanes,
    find_percentiles_in,
    to_buckets,
    to_lanes,
)
from miniapm.domain.histograms import (
    DENSE,
    Buckets,
    add_encoded,
    encode_buckets,
    find_percentiles,
    find_percentiles_of,
)

sparse = st.dictionaries(st.integers(0, 1008), st.integers(1, 2**33), max_size=20)
dense = st.builds(
    lambda first, counts: {first + i: count for i, count in enumerate(counts)},
    st.integers(0, 700),
    st.one_of(
        st.lists(st.integers(1, 255), min_size=3, max_size=300),
        st.lists(st.integers(1, 2**32 - 1), min_size=3, max_size=30),
    ),
)


def _expect(blobs: list[bytes]) -> Buckets:
    expected: Buckets = {}
    for blob in blobs:
        add_encoded(expected, blob)
    return expected


@given(st.lists(st.one_of(sparse, dense), max_size=8))
def test_sums_are_those_of_adding_one_by_one(parts: list[Buckets]) -> None:
    blobs = [encode_buckets(part) for part in parts]
    expected = _expect(blobs)
    lanes = sum(map(to_lanes, blobs))
    assert to_buckets(lanes) == expected
    shares = (0.0, 0.5, 0.95, 0.99, 1.0)
    assert find_percentiles_of(count_lanes(lanes), shares) == find_percentiles(expected, shares)


def test_lanes_do_not_run_over_into_their_neighbours() -> None:
    full = encode_buckets(dict.fromkeys(range(41, 80), 255))
    assert full[0] == DENSE
    for times in (256, 257, 600):
        assert to_buckets(to_lanes(full) * times) == dict.fromkeys(range(41, 80), 255 * times)


def test_the_form_is_the_shorter_one() -> None:
    assert encode_buckets({1: 1, 900: 1})[0] & DENSE == 0
    crowded = encode_buckets(dict.fromkeys(range(300, 400), 7))
    assert crowded[0] & DENSE
    assert len(crowded) == 3 + 100


@given(st.one_of(st.just(Buckets()), sparse, dense), st.just((0.01, 0.5, 0.95, 1.0)))
def test_percentiles_do_not_depend_on_where_the_buckets_begin(
    buckets: Buckets, shares: tuple[float, ...]
) -> None:
    lanes = to_lanes(encode_buckets(buckets))
    assert find_percentiles_in(lanes, shares) == find_percentiles(buckets, shares)
