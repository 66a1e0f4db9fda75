"""How far an endpoint moved: the steady part of the difference between before and after.

A shift counts when all blocks show it, or all but one (it lasts), against the usual of the last
hour and against the last ten minutes alike (it began at the deploy).
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from statistics import median
from typing import NamedTuple

from miniapm.domain.impact.segments import Segment

LEAST_REQUESTS = 50
"""Fewer than so before or after: nothing can be said."""
POOL_BELOW = 100
"""Fewer than so after: the blocks are too thin, all of them are taken together."""
_THIN_BELOW = 1000
"""Fewer than so after: chance alone may hide a shift in one of the blocks."""
_STEADY_FROM = 25
"""From so many errors on, they have to be spread over the blocks."""
LEAST_SHIFT = log(1.10)
LEAST_ERRORS = 5
_MANY_ERRORS = 10
LEAST_RISE = 0.003
"""Of the share of failed requests."""
_JUST_BELOW = LEAST_SHIFT - 1e-3


class LatencyShift(NamedTuple):
    """The steady shift of a quantile: `up` when slower, `down` when faster, both logarithms and
    positive where it moved that way. `before`, `after` and `blocks` are logarithms of µs."""

    up: float
    down: float
    before: float
    after: float
    blocks: tuple[float | None, ...]


class ErrorShift(NamedTuple):
    """How far the share of failed requests rose, in standard errors. `passes` tells whether there
    are enough errors, in enough blocks, and a large enough rise, to call it one."""

    z: float
    passes: bool
    before: float
    after: float
    blocks: tuple[float | None, ...]


class BaseRate(NamedTuple):
    """Failed requests of all, in the time that errors are compared with."""

    failed: int
    requests: int

    @property
    def share(self) -> float:
        return self.failed / self.requests if self.requests else 0.0


class Baseline(NamedTuple):
    """What a quantile was before: its usual value, and that of the last piece."""

    usual: float
    last: float


def find_baseline(pieces: Sequence[Segment], share: float) -> Baseline:
    """Of pieces that served anything; logarithms of µs."""
    values = [piece.ln_quantile(share) for piece in pieces if piece.count]
    return Baseline(median(values), values[-1])


def measure_latency(
    baseline: Baseline,
    blocks: Sequence[Segment],
    whole: Segment,
    share: float,
    least_us: float,
    spare: int,
) -> LatencyShift:
    """Blocks, but for `spare` of them, against the baseline of the quantile `share`; `whole` is all
    blocks together.

    A move of less than `least_us` is held below what could be called a change.
    """
    slower_than, faster_than = max(baseline), min(baseline)
    after = whole.ln_quantile(share)
    values = tuple(block.ln_quantile(share) if block.count else None for block in blocks)
    if whole.count < POOL_BELOW:
        up, down = after - slower_than, faster_than - after
    else:
        ordered = sorted(value for value in values if value is not None)
        if whole.count < _THIN_BELOW:
            spare = max(1, spare)
        # a block without requests shows nothing
        place = spare - (len(values) - len(ordered))
        up = ordered[place] - slower_than if place >= 0 else 0.0
        down = faster_than - ordered[-1 - place] if place >= 0 else 0.0
    return LatencyShift(
        _hold(up, slower_than, least_us), _hold(down, faster_than, -least_us),
        baseline.usual, after, values,
    )  # fmt: skip


def _hold(shift: float, base: float, least_us: float) -> float:
    """The shift, unless it comes to less than `least_us` (negative: downwards) from `base`."""
    if shift <= _JUST_BELOW:
        return shift
    moved = exp(base) * (exp(shift) - 1 if least_us > 0 else 1 - exp(-shift))
    return shift if moved >= abs(least_us) else _JUST_BELOW


def measure_errors(base: BaseRate, blocks: Sequence[Segment], whole: Segment) -> ErrorShift:
    """The rise of the failed share over the higher of the last hour and the last day.

    z is Anscombe's: roots of counts have the same spread everywhere. Bar-Lev and Enis,
    https://www.jstor.org/stable/2336173
    """
    rate = base.share
    z = _z(whole, rate, base.requests)
    failed = whole.failed
    if failed >= _STEADY_FROM:
        each = sorted(_z(block, rate, base.requests) for block in blocks)
        z = min(z, each[1] * sqrt(len(blocks)))
    after = failed / whole.count
    in_blocks = sum(1 for block in blocks if block.failed)
    passes = (
        failed >= LEAST_ERRORS
        and in_blocks >= (3 if failed >= _MANY_ERRORS else 2)
        and after >= 2 * rate
        and after >= rate + LEAST_RISE
    )
    values = tuple(block.failed / block.count if block.count else None for block in blocks)
    return ErrorShift(z, passes, rate, after, values)


def _z(segment: Segment, rate: float, base_requests: int) -> float:
    expected = segment.count * rate
    return (
        2 * (sqrt(segment.failed + 0.375) - sqrt(expected + 0.375))
        / sqrt(1 + segment.count / base_requests)
    )  # fmt: skip
