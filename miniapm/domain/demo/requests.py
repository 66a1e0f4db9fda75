"""Requests by the minute: how many, and how long each took, drawn from a tape that is recorded once
for each endpoint: a week has a million of them."""

from collections import Counter
from functools import cache
from itertools import accumulate
from math import ceil, exp, log2
from random import Random
from typing import NamedTuple

from miniapm.domain.demo.values import Call
from miniapm.domain.histograms import SCALE, Buckets
from miniapm.domain.rollups import Rollup

_LENGTH = 8192
_MANY = 25
_PARTS = 8
_SLOW_SHARE, _SLOW_FACTOR = 0.04, 2.6


class Tape:
    """Durations of an endpoint around a median of 1: their places on the scale of histograms."""

    def __init__(self, rng: Random, spread: float) -> None:
        self._rng = rng
        self.factors = [
            rng.lognormvariate(0, spread) * (_SLOW_FACTOR if rng.random() < _SLOW_SHARE else 1)
            for _ in range(_LENGTH)
        ]
        places = [log2(factor) * SCALE for factor in self.factors]
        # buckets for each part of a bucket that a median may stand at: counted at C's speed
        self._buckets = [
            [ceil(place + part / _PARTS) for place in places] for part in range(_PARTS)
        ]
        self._sums = [0.0, *accumulate(self.factors)]

    def draw(self, count: int) -> range:
        """A stretch of so many durations."""
        begin = int(self._rng.random() * (_LENGTH - count))
        return range(begin, begin + count)

    def sum_up(self, part: range, median_us: float) -> tuple[int, Buckets]:
        """What the durations of a stretch add up to, and their histogram."""
        whole, rest = divmod(round(log2(median_us) * SCALE * _PARTS), _PARTS)
        counts = Counter(self._buckets[rest][part.start : part.stop])
        duration_us = round((self._sums[part.stop] - self._sums[part.start]) * median_us)
        return duration_us, {bucket + whole: count for bucket, count in counts.items()}


class Shares(NamedTuple):
    """How much of a request's time goes into its calls of a kind."""

    database: float
    http: float


@cache
def find_shares(calls: tuple[Call, ...]) -> Shares:
    """The shares of calls to databases and other services."""
    took = {"query": 0.0, "http": 0.0, "publish": 0.0}
    for call in calls:
        took[call.kind] += call.end - call.begin
    return Shares(took["query"], took["http"])


def make_rollup(tape: Tape, part: range, median_us: float, shares: Shares, failed: int) -> Rollup:
    """A stretch of requests as a rollup counts it; it has no examples."""
    rollup = Rollup()
    rollup.count = len(part)
    rollup.failed = failed
    rollup.duration_us, rollup.buckets = tape.sum_up(part, median_us)
    rollup.database_us = int(rollup.duration_us * shares.database)
    rollup.http_us = int(rollup.duration_us * shares.http)
    return rollup


def draw_count(rng: Random, expected: float) -> int:
    """How many come when so many are expected: Poisson's."""
    if expected > _MANY:
        return max(0, round(rng.gauss(expected, expected**0.5)))
    limit, product, count = exp(-expected), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
