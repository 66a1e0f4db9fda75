"""Figures of any stretch of whole minutes of one endpoint, at the price of a subtraction.

The minutes are kept as running sums. Those of histograms are whole numbers with a lane for each
bucket, so that all buckets are added or subtracted at once. A lane that runs over runs into its
neighbour, and the subtraction takes that back: lanes need only hold what is cut out.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.histograms import DENSE, SCALE, dense_first_of, join_sparse
from miniapm.domain.impact.values import Window

MinuteRow = tuple[int, int, int, bytes]
"""A rollup of one minute: when it began (µs), requests, failed ones, histogram."""

LONGEST = 60
"""Minutes that a segment may have."""

_LN_BUCKET = log(2) / SCALE


class _Lanes(NamedTuple):
    """How wide lanes are, in bytes, the type of array they make, and which bucket comes first."""

    size: int
    type: str
    first: int


class Segment:
    """What one endpoint did in a stretch of time."""

    __slots__ = ("_from_top", "_top", "count", "failed")

    def __init__(self, count: int, failed: int, lanes: int, form: _Lanes) -> None:
        self.count = count
        self.failed = failed
        width = 8 * form.size
        length = -(-lanes.bit_length() // width)
        reach = 1
        while reach < length:
            # each lane comes to hold itself and those above it, twice as many with each turn
            lanes += lanes >> reach * width
            reach *= 2
        self._top = form.first + length - 1
        self._from_top = array(form.type, lanes.to_bytes(length * form.size, "little"))[::-1]

    def ln_quantile(self, share: float) -> float:
        """The natural logarithm of a quantile in µs (`share` above 0), drawn straight through its
        bucket; only where `count` is not 0."""
        sums = self._from_top
        rank = (1 - share) * sums[-1]
        place = bisect_right(sums, rank)
        above = sums[place - 1] if place else 0
        within = (rank - above) / (sums[place] - above)
        return (self._top - place - within) * _LN_BUCKET

    def spread_of_quantile(self, share: float) -> float:
        """The standard error of `ln_quantile`, from the ranks a standard error apart."""
        step = (share * (1 - share) / self.count) ** 0.5
        low, high = max(share - step, step / 2), min(share + step, 1.0)
        return (self.ln_quantile(high) - self.ln_quantile(low)) / 2


class MinuteSums:
    """The minutes of one endpoint within `window`, ready to be cut into segments."""

    __slots__ = ("_counts", "_failed", "_form", "_lanes", "_since")

    def __init__(self, window: Window, rows: Iterable[MinuteRow]) -> None:
        self._since = window.since
        minutes = (window.until - window.since) // MINUTE
        rows = [row for row in rows if window.since <= row[0] < window.until]
        counts, failed, lanes = ([0] * (minutes + 1) for _ in range(3))
        for started_at, count, failures, _ in rows:
            # the sums of minute n stand at n + 1, so that those before the first are 0
            place = (started_at - window.since) // MINUTE + 1
            counts[place] += count
            failed[place] += failures
        self._counts = list(accumulate(counts))
        self._failed = list(accumulate(failed))
        self._form = form = self._find_form(rows)
        for row in rows:
            lanes[(row[0] - window.since) // MINUTE + 1] += _to_lanes(row[3], form)
        self._lanes = list(accumulate(lanes))

    def _find_form(self, rows: Iterable[MinuteRow]) -> _Lanes:
        first = min((_first_of(row[3]) for row in rows), default=0)
        sums = self._counts
        most = max(map(int.__sub__, sums[LONGEST:], sums), default=sums[-1])
        return _Lanes(2, "H", first) if most < 1 << 16 else _Lanes(4, "I", first)

    def cut(self, window: Window) -> Segment:
        """The part of it in `window`, which lies within its own and has at most LONGEST minutes."""
        begin = (window.since - self._since) // MINUTE
        end = (window.until - self._since) // MINUTE
        return Segment(
            self._counts[end] - self._counts[begin],
            self._failed[end] - self._failed[begin],
            self._lanes[end] - self._lanes[begin],
            self._form,
        )

    def cut_all(self, windows: Sequence[Window]) -> list[Segment]:
        """A segment for each window."""
        return [self.cut(window) for window in windows]


def _to_lanes(histogram: bytes, form: _Lanes) -> int:
    """A stored histogram as one whole number."""
    size = form.size
    if histogram[0] & DENSE:
        lowest, step = dense_first_of(histogram), 1 << (histogram[0] ^ DENSE)
        lanes = histogram[3:]
        if step != size:
            wide = bytearray(len(lanes) // step * size)
            for byte in range(min(step, size)):
                wide[byte::size] = lanes[byte::step]
            lanes = bytes(wide)
    else:
        numbers, counts = join_sparse([histogram])
        if not numbers:
            return 0
        lowest = numbers[0]
        spread = array(form.type, bytes((numbers[-1] - lowest + 1) * size))
        for number, count in zip(numbers, counts, strict=True):
            spread[number - lowest] = count
        lanes = spread.tobytes()
    return int.from_bytes(lanes, "little") << (lowest - form.first) * size * 8


def _first_of(histogram: bytes) -> int:
    """The lowest bucket of a stored histogram; both forms write it after the first byte."""
    return histogram[1] | histogram[2] << 8 if len(histogram) > 2 else 0
