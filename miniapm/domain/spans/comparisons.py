"""How an endpoint's p95 moved at a deploy, as plain figures: no judgement is made here."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.histograms import find_percentiles_of
from miniapm.domain.ranges import finest_at
from miniapm.domain.rollups import RESOLUTIONS

MIN_CALLS = 50
"""With fewer calls on a side a p95 rests on one or two of them."""

_STEPS = 12


class Window(NamedTuple):
    """since <= t < until, in µs."""

    since: int
    until: int


class Windows(NamedTuple):
    """As long before a deploy as after it; what it came in the midst of is in neither."""

    before: Window
    after: Window


class Change(NamedTuple):
    """Calls and p95 (µs) on both sides; None where there were no calls."""

    before_calls: int
    after_calls: int
    before_p95_us: int | None
    after_p95_us: int | None

    @property
    def share(self) -> float | None:
        """What the p95 grew by, 0.5 for half as long again; None with too few calls on a side."""
        if min(self.before_calls, self.after_calls) < MIN_CALLS:
            return None
        if self.before_p95_us is None or self.after_p95_us is None:
            return None
        return self.after_p95_us / self.before_p95_us - 1


def find_windows(deployed_at: int, until: int, now: int) -> Windows | None:
    """What to compare: from a deploy to `until` (at most `now`), against as long before it.

    In whole steps of rollups that still exist, none longer than a twelfth of it; None where not
    even one has passed.
    """
    until = min(until, now)
    length = until - deployed_at
    coarsest = max((r for r in RESOLUTIONS if r * MINUTE * _STEPS <= length), default=1)
    step = max(finest_at(deployed_at - length, now), coarsest) * MINUTE
    begin, end = deployed_at + -deployed_at % step, until + -until % step
    if begin >= until:
        return None
    last = deployed_at - deployed_at % step
    return Windows(Window(last - (end - begin), last), Window(begin, end))


def compare(before: Sequence[int], after: Sequence[int]) -> Change:
    """The figures of two histograms: how many fell into each bucket, from 0 on."""
    return Change(sum(before), sum(after), find_p95(before), find_p95(after))


def find_p95(counts: Sequence[int]) -> int | None:
    """In µs."""
    [value] = find_percentiles_of(counts, (0.95,))
    return None if value is None else round(value)
