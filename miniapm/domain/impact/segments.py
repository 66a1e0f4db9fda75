"""Figures of any stretch of whole minutes of one endpoint, at the price of a subtraction.

The minutes are kept as running sums. Those of histograms are whole numbers with a lane of 32 bits
for each bucket, so that all buckets are added or subtracted at once.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log

from miniapm.clock import MINUTE
from miniapm.domain.histograms import (
    DENSE,
    SCALE,
    dense_first_of,
    join_sparse,
)
from miniapm.domain.impact.values import Window

MinuteRow = tuple[int, int, int, bytes]
"""A rollup of one minute: when it began (µs), requests, failed ones, histogram."""

_LANE = 32
_LN_BUCKET = log(2) / SCALE


class Segment:
    """What one endpoint did in a stretch of time."""

    __slots__ = ("_first", "_sums", "count", "failed")

    def __init__(self, count: int, failed: int, lanes: int, first: int) -> None:
        self.count = count
        self.failed = failed
        self._first = first
        length = (lanes.bit_length() + _LANE - 1) // _LANE
        self._sums: list[int] = list(
            accumulate(array("I", lanes.to_bytes(length * _LANE // 8, "little")))
        )

    def ln_quantile(self, share: float) -> float:
        """The natural logarithm of a quantile in µs, drawn straight through its bucket; only where
        `count` is not 0."""
        sums = self._sums
        rank = share * sums[-1]
        place = bisect_left(sums, max(rank, 1e-9))
        below = sums[place - 1] if place else 0
        within = (rank - below) / (sums[place] - below)
        return (self._first + place - 1 + within) * _LN_BUCKET

    def spread_of_quantile(self, share: float) -> float:
        """The standard error of `ln_quantile`, from the ranks a standard error apart."""
        step = (share * (1 - share) / self._sums[-1]) ** 0.5
        low, high = max(share - step, 0.0), min(share + step, 1.0)
        return max((self.ln_quantile(high) - self.ln_quantile(low)) / 2, _LN_BUCKET / 4)


class MinuteSums:
    """The minutes of one endpoint within `window`, ready to be cut into segments."""

    __slots__ = ("_counts", "_failed", "_first", "_lanes", "_since")

    def __init__(self, window: Window, rows: Iterable[MinuteRow]) -> None:
        self._since = window.since
        minutes = (window.until - window.since) // MINUTE
        counts, failed = [0] * (minutes + 1), [0] * (minutes + 1)
        lanes = [0] * (minutes + 1)
        rows = [row for row in rows if window.since <= row[0] < window.until]
        first = min((_first_of(row[3]) for row in rows), default=0)
        for started_at, count, failures, histogram in rows:
            # the sums of minute n stand at n + 1, so that those before the first are 0
            place = (started_at - window.since) // MINUTE + 1
            counts[place] += count
            failed[place] += failures
            lanes[place] += to_lanes(histogram, first)
        self._first = first
        self._counts = list(accumulate(counts))
        self._failed = list(accumulate(failed))
        self._lanes = list(accumulate(lanes))

    def cut(self, window: Window) -> Segment:
        """The part of it in `window`, which lies within its own."""
        begin = (window.since - self._since) // MINUTE
        end = (window.until - self._since) // MINUTE
        return Segment(
            self._counts[end] - self._counts[begin],
            self._failed[end] - self._failed[begin],
            self._lanes[end] - self._lanes[begin],
            self._first,
        )

    def cut_all(self, windows: Sequence[Window]) -> list[Segment]:
        """A segment for each window."""
        return [self.cut(window) for window in windows]


def to_lanes(histogram: bytes, first: int) -> int:
    """A stored histogram as one whole number: the count of bucket `first` + n in lane n."""
    form = histogram[0]
    if form & DENSE:
        counts, step = histogram[3:], 1 << (form ^ DENSE)
        wide = bytearray(len(counts) // step * 4)
        for byte in range(step):
            wide[byte::4] = counts[byte::step]
        return int.from_bytes(wide, "little") << (dense_first_of(histogram) - first) * _LANE
    lanes = 0
    for number, count in zip(*join_sparse([histogram]), strict=True):
        lanes += count << (number - first) * _LANE
    return lanes


def _first_of(histogram: bytes) -> int:
    """The lowest bucket of a stored histogram; both forms write it after the first byte."""
    return histogram[1] | histogram[2] << 8 if len(histogram) > 2 else 0
