"""How the durations of endpoints were spread, and what changed at their service's last deploy.

The time of the page and the time around the deploy overlap: both are cut into the same pieces, so
that each histogram is added once.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from miniapm.domain.histogram_sums import count_lanes, find_percentiles_in
from miniapm.domain.spans.comparisons import Change, Window, Windows, compare, find_windows
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.markers import Marker, find_last_live
from miniapm.storage.releases import Release
from miniapm.storage.rollups.merging import SHARES
from miniapm.storage.rollups.sums import find_sums


class ComparedLane(NamedTuple):
    """The releases of a service and env, their last deploy, and what is compared around it."""

    deploy: Marker
    windows: Windows
    release_ids: frozenset[int]


class Spread(NamedTuple):
    """In µs; `change` is None where there is no deploy to measure it around."""

    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    change: Change | None


class _Piece(NamedTuple):
    """A stretch of time, and what it is part of."""

    time: Window
    is_shown: bool
    is_before: bool
    is_after: bool


def find_compared_lanes(
    connection: Connection,
    project_id: int,
    releases: Iterable[Release],
    calls: Mapping[int, int],
    since: int,
    until: int,
    now: int,
) -> dict[str, ComparedLane]:
    """By service, the lane whose last live deploy lies in since <= t < until; of several envs, the
    one that served most of the `calls` (by release)."""
    found: dict[str, ComparedLane] = {}
    by_lane: dict[tuple[str, str], list[int]] = {}
    for release in releases:
        by_lane.setdefault((release.service, release.env), []).append(release.id)
    busiest = sorted(by_lane, key=lambda lane: -sum(calls.get(r, 0) for r in by_lane[lane]))
    for service, env in busiest:
        if service in found:
            continue
        deploy = find_last_live(connection, project_id, service, env, since, min(until, now))
        windows = None if deploy is None else find_windows(deploy.at, until, now)
        if deploy is not None and windows is not None:
            found[service] = ComparedLane(deploy, windows, frozenset(by_lane[service, env]))
    return found


def find_spreads(
    connection: Connection,
    project_id: int,
    endpoint_ids: Collection[int],
    release_ids: Collection[int],
    lane: ComparedLane | None,
    shown: Window,
) -> dict[int, Spread]:
    """By endpoint; those of one service, whose `lane` is given."""
    found = {endpoint_id: _Sides() for endpoint_id in endpoint_ids}
    lane_ids = lane.release_ids if lane is not None else frozenset()
    for piece in _cut(shown, lane):
        for sums in find_sums(connection, project_id, None, *piece.time):
            for endpoint_id in sums.keys() & found:
                for release_id, one in sums[endpoint_id].items():
                    if release_id in release_ids:
                        found[endpoint_id].add(piece, release_id in lane_ids, one.lanes)
    return {
        endpoint_id: sides.tell(has_lane=lane is not None) for endpoint_id, sides in found.items()
    }


def _cut(shown: Window, lane: ComparedLane | None) -> list[_Piece]:
    if lane is None:
        return [_Piece(shown, True, False, False)]
    before, after = lane.windows
    edges = sorted({*shown, *before, *after})
    pieces = [Window(*edge) for edge in pairwise(edges)]
    return [
        _Piece(p, _covers(shown, p), _covers(before, p), _covers(after, p))
        for p in pieces
        if any(_covers(whole, p) for whole in (shown, before, after))
    ]


def _covers(whole: Window, piece: Window) -> bool:
    return whole.since <= piece.since and piece.until <= whole.until


class _Sides:
    """The histograms of one endpoint: of the time shown, and of both sides of the deploy."""

    __slots__ = ("after", "before", "shown")

    def __init__(self) -> None:
        self.shown = self.before = self.after = 0

    def add(self, piece: _Piece, is_lane: bool, lanes: int) -> None:
        if piece.is_shown:
            self.shown += lanes
        if piece.is_before and is_lane:
            self.before += lanes
        if piece.is_after and is_lane:
            self.after += lanes

    def tell(self, *, has_lane: bool) -> Spread:
        found = find_percentiles_in(self.shown, SHARES)
        p50, p95, p99 = (None if value is None else round(value) for value in found)
        change = compare(count_lanes(self.before), count_lanes(self.after)) if has_lane else None
        return Spread(p50, p95, p99, change)
