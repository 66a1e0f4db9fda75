"""The histogram of a page: bars that count every call, marks and ticks where they belong."""

from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.histograms import Buckets, bucket_of
from miniapm.web.distributions import MOST_BARS, PLOT_HEIGHT, make_distribution
from miniapm.web.sparklines import draw_sparkline

BUCKETS = st.dictionaries(st.integers(0, 700), st.integers(1, 10**9), min_size=1)


@given(BUCKETS)
def test_every_call_stands_in_a_bar_within_the_drawing(buckets: Buckets) -> None:
    drawn = make_distribution(buckets)
    assert drawn is not None
    assert sum(bar.calls for bar in drawn.bars) == sum(buckets.values())
    assert len(drawn.bars) <= MOST_BARS
    assert max(bar.height for bar in drawn.bars) == PLOT_HEIGHT
    for bar in drawn.bars:
        assert bar.height >= 1
        assert bar.x >= 0
        assert bar.x + bar.width <= 100.05
    for mark in (*drawn.percentiles, *drawn.ticks):
        assert 0 <= mark.x <= 100
    assert 1 <= len(drawn.ticks) <= 6


def test_nothing_has_no_histogram() -> None:
    assert make_distribution({}) is None


def test_marks_stand_above_their_bars() -> None:
    drawn = make_distribution({bucket_of(10_000): 90, bucket_of(1_000_000): 10})
    assert drawn is not None
    low, high = drawn.bars
    p50, p95, _ = drawn.percentiles
    assert low.x <= p50.x <= low.x + low.width
    assert high.x <= p95.x <= high.x + high.width
    assert p50.words.startswith("p50 ")
    assert (low.share, high.share) == ("90 %", "10 %")
    assert [tick.words for tick in drawn.ticks] == ["10 ms", "30 ms", "100 ms", "300 ms", "1 s"]


def test_one_call_is_not_as_wide_as_the_axis() -> None:
    drawn = make_distribution({bucket_of(10_000): 1})
    assert drawn is not None
    [bar] = drawn.bars
    assert bar.width < 10
    assert 30 < bar.x < 70


def test_a_sparkline_rises_from_zero_to_its_highest() -> None:
    assert 'd="M0 19 3 10 6 1"' in draw_sparkline([0, 5, 10])
    assert 'd="M0 19 3 19"' in draw_sparkline([0, 0])
    assert "<path" in draw_sparkline([])
