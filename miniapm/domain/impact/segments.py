"""Figures of any stretch of whole minutes of one endpoint, at the price of a subtraction.

A histogram is a whole number with a lane for each bucket, so that all buckets are added or
subtracted at once. Every other lane is taken out, which leaves those between them twice the room:
the even buckets make one number, the odd ones another. The minutes are kept as running sums of
both. A lane that runs over runs into its neighbour, and the subtraction takes that back: lanes need
only hold what is cut out.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.histograms import COUNT_TYPES, DENSE, SCALE, join_sparse
from miniapm.domain.impact.values import Window

MinuteRow = tuple[int, int, int, bytes]
"""A rollup of one minute: when it began (µs), requests, failed ones, histogram."""

LONGEST = 60
"""Minutes that a segment may have."""

_LN_BUCKET = log(2) / SCALE
_PAIRS = 512


class _Lanes(NamedTuple):
    """How wide lanes are (bits), the array they make, how wide they are as long as even and odd
    buckets are together (bytes), a mask of the even ones, and which bucket comes first."""

    width: int
    type: str
    size: int
    even: int
    first: int


_FORMS = tuple(
    _Lanes(
        16 * size, kind, size, int.from_bytes((b"\xff" * size + bytes(size)) * _PAIRS, "little"), 0
    )
    for size, kind in ((1, "H"), (2, "I"), (4, "Q"))
)


class Segment:
    """What one endpoint did in a stretch of time."""

    __slots__ = ("_form", "_from_top", "_odd", "count", "failed")

    def __init__(self, count: int, failed: int, even: int, odd: int, form: _Lanes) -> None:
        self.count = count
        self.failed = failed
        self._form = form
        self._odd = odd
        pairs = even + odd
        width = form.width
        length = -(-pairs.bit_length() // width)
        reach = width
        while reach < length * width:
            # each lane comes to hold itself and those above it, twice as many with each turn
            pairs += pairs >> reach
            reach *= 2
        self._from_top = array(form.type, pairs.to_bytes(length * width // 8, "little"))[::-1]

    def ln_quantile(self, share: float) -> float:
        """The natural logarithm of a quantile in µs (`share` above 0), drawn straight through its
        bucket; only where `count` is not 0."""
        sums, form = self._from_top, self._form
        rank = (1 - share) * sums[-1]
        place = bisect_right(sums, rank)
        above = sums[place - 1] if place else 0
        pair = len(sums) - 1 - place
        odd = (self._odd >> pair * form.width) & (1 << form.width) - 1
        bucket = form.first + 2 * pair
        if rank < above + odd:
            return (bucket + 1 - (rank - above) / odd) * _LN_BUCKET
        above += odd
        return (bucket - (rank - above) / (sums[place] - above)) * _LN_BUCKET

    def spread_of_quantile(self, share: float) -> float:
        """The standard error of `ln_quantile`, from the ranks a standard error apart."""
        step = (share * (1 - share) / self.count) ** 0.5
        low, high = max(share - step, step / 2), min(share + step, 1.0)
        return (self.ln_quantile(high) - self.ln_quantile(low)) / 2


class MinuteSums:
    """The minutes of one endpoint within `window`, ready to be cut into segments."""

    __slots__ = ("_counts", "_even", "_failed", "_form", "_odd", "_since")

    def __init__(self, window: Window, rows: Iterable[MinuteRow]) -> None:
        since, until = window.since, window.until
        rows = [row for row in rows if since <= row[0] < until]
        # the sums of minute n stand at n + 1, so that those before the first are 0
        counts, failed, even, odd = ([0] * ((until - since) // MINUTE + 1) for _ in range(4))
        for started_at, count, failures, _ in rows:
            place = (started_at - since) // MINUTE + 1
            counts[place] += count
            failed[place] += failures
        self._since = since
        self._counts = list(accumulate(counts))
        self._failed = list(accumulate(failed))
        firsts = [_first_of(row[3]) for row in rows]
        self._form = form = self._find_form(rows, min(firsts, default=0))
        bits, mask = 8 * form.size, form.even
        for (started_at, _, _, histogram), first in zip(rows, firsts, strict=True):
            place = (started_at - since) // MINUTE + 1
            lanes = _to_lanes(histogram, form.size) << (first - form.first) * bits
            low = lanes & mask
            even[place] += low
            odd[place] += (lanes ^ low) >> bits
        self._even = list(accumulate(even))
        self._odd = list(accumulate(odd))

    def _find_form(self, rows: Sequence[MinuteRow], first: int) -> _Lanes:
        widest = max([row[3][0] & ~DENSE for row in rows], default=0)
        sums = self._counts
        most = max(map(int.__sub__, sums[LONGEST:], sums), default=sums[-1])
        wide_enough = 0 if most < 1 << 16 else 1 if most < 1 << 32 else 2
        return _FORMS[max(widest, wide_enough)]._replace(first=first)

    def cut(self, window: Window) -> Segment:
        """The part of it in `window`, which lies within its own and has at most LONGEST minutes."""
        begin = (window.since - self._since) // MINUTE
        end = (window.until - self._since) // MINUTE
        return Segment(
            self._counts[end] - self._counts[begin],
            self._failed[end] - self._failed[begin],
            self._even[end] - self._even[begin],
            self._odd[end] - self._odd[begin],
            self._form,
        )

    def cut_all(self, windows: Sequence[Window]) -> list[Segment]:
        """A segment for each window."""
        return [self.cut(window) for window in windows]


def _to_lanes(histogram: bytes, size: int) -> int:
    """A stored histogram as one whole number of lanes of `size` bytes, its first bucket lowest."""
    form = histogram[0]
    if form & DENSE:
        lanes, step = histogram[3:], 1 << (form ^ DENSE)
        if step != size:
            wide = bytearray(len(lanes) // step * size)
            for byte in range(step):
                wide[byte::size] = lanes[byte::step]
            lanes = bytes(wide)
        return int.from_bytes(lanes, "little")
    numbers, counts = join_sparse([histogram])
    if not numbers:
        return 0
    lowest = numbers[0]
    spread = array(COUNT_TYPES[size >> 1], bytes((numbers[-1] - lowest + 1) * size))
    for number, count in zip(numbers, counts, strict=True):
        spread[number - lowest] = count
    return int.from_bytes(spread.tobytes(), "little")


def _first_of(histogram: bytes) -> int:
    """The lowest bucket of a stored histogram; both forms write it after the first byte."""
    return histogram[1] | histogram[2] << 8 if len(histogram) > 2 else 0
