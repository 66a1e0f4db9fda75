"""How durations were spread, as bars along a logarithmic axis; places are in percent of its width,
so that the drawing fits any screen."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, log2, log10
from typing import NamedTuple

from miniapm.clock import SECOND
from miniapm.domain.histograms import SCALE, find_percentiles, upper_bound_of
from miniapm.web.charts import tell_ms, tell_part

MOST_BARS = 48
PLOT_HEIGHT = 120
_MOST_TICKS = 6
# one bucket alone would fill it: at least two doublings are shown
_LEAST_AXIS = 2 * SCALE
_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
# the first of these that gives few enough ticks
_DIGITS = ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


class Bar(NamedTuple):
    """The calls that took more than `low` and at most `high`; `x` and `width` in percent, `height`
    in pixels of PLOT_HEIGHT."""

    x: float
    width: float
    height: int
    low: str
    high: str
    calls: int
    share: str


class Mark(NamedTuple):
    """A word at `x` percent; `is_late` where it has no room to its right."""

    x: float
    words: str
    is_late: bool


@dataclass(frozen=True, slots=True)
class Distribution:
    """All of it; `bars` has those with calls only."""

    bars: tuple[Bar, ...]
    percentiles: tuple[Mark, ...]
    ticks: tuple[Mark, ...]


def make_distribution(buckets: Mapping[int, int]) -> Distribution | None:
    """Of a histogram (domain/histograms.py); None when nothing was counted."""
    if not buckets:
        return None
    group = _find_group(min(buckets), max(buckets))
    first, last = (min(buckets) - 1) // group, (max(buckets) - 1) // group
    margin = max(1, (_LEAST_AXIS // group - (last - first)) // 2)
    axis = _Axis((first - margin) * group, (last + 1 + margin) * group)
    counts: dict[int, int] = {}
    for bucket, count in buckets.items():
        place = (bucket - 1) // group
        counts[place] = counts.get(place, 0) + count
    highest, total = max(counts.values()), sum(counts.values())
    bars = tuple(
        Bar(
            x=axis.place(place * group),
            width=round(100 * group / (axis.last - axis.first), 2),
            height=max(1, round(counts[place] * PLOT_HEIGHT / highest)),
            low=tell_ms(round(upper_bound_of(place * group))) if place >= 0 else tell_ms(0),
            high=tell_ms(round(upper_bound_of((place + 1) * group))),
            calls=counts[place],
            share=tell_part(counts[place], total),
        )
        for place in sorted(counts)
    )
    return Distribution(bars, _find_marks(buckets, axis), _find_ticks(axis))


class _Axis(NamedTuple):
    """From the upper bound of bucket `first` to that of `last`."""

    first: int
    last: int

    def place(self, bucket: float) -> float:
        return round(100 * (bucket - self.first) / (self.last - self.first), 2)


def _find_group(lowest: int, highest: int) -> int:
    """How many buckets stand in one bar."""
    group = 1
    while (highest - 1) // group - (lowest - 1) // group >= MOST_BARS:
        group *= 2
    return group


def _find_marks(buckets: Mapping[int, int], axis: _Axis) -> tuple[Mark, ...]:
    values = find_percentiles(buckets, [share for _, share in _SHARES])
    return tuple(
        _mark(axis, value, f"{name} {tell_ms(round(value))}")
        for (name, _), value in zip(_SHARES, values, strict=True)
        if value is not None
    )


def _find_ticks(axis: _Axis) -> tuple[Mark, ...]:
    """Round durations along the axis, in µs 1, 2, 5, 10, ... or fewer of them."""
    low, high = upper_bound_of(axis.first), upper_bound_of(axis.last)
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for digits in _DIGITS:
        values = [d * 10.0**decade for decade in decades for d in digits]
        inside = [value for value in values if max(low, 1) <= value <= high]
        if len(inside) <= _MOST_TICKS:
            break
    apart = max(1, -(-len(inside) // _MOST_TICKS))
    return tuple(_mark(axis, value, _tell_round(value)) for value in inside[::apart])


def _mark(axis: _Axis, micros: float, words: str) -> Mark:
    x = axis.place(log2(max(micros, 1)) * SCALE)
    return Mark(x, words, x > 80)


def _tell_round(micros: float) -> str:
    """`0.1 ms`, `20 ms`, `5 s`."""
    return f"{micros / SECOND:g} s" if micros >= SECOND else f"{micros / 1000:g} ms"
