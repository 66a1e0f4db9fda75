"""Which stretch of time a page shows, in how many points, and from which rollups it is read.

Rollups stand in three resolutions, each complete on its own; the coarser, the fewer rows, and the
longer they are kept.
"""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.rollups import RESOLUTIONS

KEPT: Mapping[int, int] = {1: 16 * DAY, 10: 90 * DAY, 60: 400 * DAY}
"""How long the rows of each resolution are kept, in µs, unless settings say otherwise."""

MAX_POINTS = 400
DEFAULT_RANGE = "24h"
SHORTER_RANGES = ("1h", "6h")
"""Shown instead where they hold all that the default one would, the shortest first."""

_NAMED = {
    "1h": (HOUR, MINUTE),
    "6h": (6 * HOUR, MINUTE),
    "24h": (24 * HOUR, 10 * MINUTE),
    "7d": (7 * DAY, HOUR),
    "30d": (30 * DAY, 3 * HOUR),
    "90d": (90 * DAY, 6 * HOUR),
}
_STEPS = (
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 20, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(days * DAY for days in (1, 2, 7, 14, 28)),
)


class TimeRange(NamedTuple):
    """since <= t < until in µs, cut into steps of `step_us` that begin at whole steps of UTC.

    `until` may lie ahead: the last step holds what it has so far.
    """

    since: int
    until: int
    resolution_minutes: int
    step_us: int

    @property
    def starts(self) -> range:
        """When each step begins."""
        return range(self.since, self.until, self.step_us)

    def coarser(self, points: int) -> "TimeRange":
        """About the same stretch in at most `points` steps (and one for where it was cut)."""
        least = (self.until - self.since) // points
        step = next((s for s in _STEPS if s >= max(least, self.step_us)), _STEPS[-1])
        return _cut(self.since, self.until, step, self.resolution_minutes)


class Tile(NamedTuple):
    """The rows of `resolution` minutes that begin in begin <= t < end."""

    resolution: int
    begin: int
    end: int


def range_named(name: str, now: int) -> TimeRange:
    """The stretch of a name such as `24h` that ends with the step that `now` is in."""
    length, step = _NAMED[name]
    until = _ceil(now + 1, step)
    return TimeRange(until - length, until, _finest_for(step), step)


def range_between(
    since: int | None, until: int | None, now: int, kept: Mapping[int, int] = KEPT
) -> TimeRange:
    """The stretch from `since` (else a day before the end) to `until` (else `now`), in at most
    `MAX_POINTS` points of rollups that still exist; cut to what can be there at all.

    ValueError when it ends before it begins.
    """
    until = now if until is None else until
    since = until - DAY if since is None else since
    if since >= until:
        raise ValueError("does not lie before the end")
    oldest, latest = now - kept[60], now + DAY
    since, until = max(oldest, min(since, latest)), max(oldest + MINUTE, min(until, latest))
    least = max((until - since) // MAX_POINTS, 1)
    finest = finest_at(since, now, kept)
    step = next((s for s in _STEPS if s >= max(least, finest * MINUTE)), _STEPS[-1])
    return _cut(since, until, step, finest)


def finest_at(instant: int, now: int, kept: Mapping[int, int] = KEPT) -> int:
    """The finest resolution whose rows reach back to `instant`, in minutes."""
    return next((r for r in RESOLUTIONS if instant >= now - kept[r]), RESOLUTIONS[-1])


def widen_to_kept(
    since: int, until: int, now: int, kept: Mapping[int, int] = KEPT
) -> tuple[int, int]:
    """The bounds as near as rollups tell them that still exist: whole minutes, for what is older
    ten minutes or hours."""
    since = max(since, now - kept[RESOLUTIONS[-1]])
    until = min(until, now + DAY)
    return (
        _floor(since, finest_at(since, now, kept) * MINUTE),
        _ceil(until, finest_at(until, now, kept) * MINUTE),
    )


def tile(since: int, until: int) -> list[Tile]:
    """The fewest rows that sum since <= t < until, both rounded out to whole minutes: hours in the
    middle, ten minutes and minutes towards the edges. Each minute lies in exactly one."""
    since, until = _floor(since, MINUTE), _ceil(until, MINUTE)
    tiles = _tile(since, until, (60, 10, 1)) if since < until else []
    return sorted(tiles, key=lambda tile: tile.begin)


def _tile(since: int, until: int, resolutions: tuple[int, ...]) -> list[Tile]:
    resolution, *finer = resolutions
    begin, end = _ceil(since, resolution * MINUTE), _floor(until, resolution * MINUTE)
    if begin >= end:
        return _tile(since, until, tuple(finer)) if finer else []
    tiles = [Tile(resolution, begin, end)]
    if since < begin:
        tiles += _tile(since, begin, tuple(finer))
    if end < until:
        tiles += _tile(end, until, tuple(finer))
    return tiles


def _cut(since: int, until: int, step: int, finest: int) -> TimeRange:
    resolution = max(finest, _finest_for(step))
    return TimeRange(_floor(since, step), _ceil(until, step), resolution, step)


def _finest_for(step: int) -> int:
    """The coarsest resolution of which whole rows make up a step."""
    return max(r for r in RESOLUTIONS if step % (r * MINUTE) == 0)


def _floor(instant: int, step: int) -> int:
    return instant - instant % step


def _ceil(instant: int, step: int) -> int:
    return instant + -instant % step
