"""Figures over time: a point for each step.

`release_ids` narrows to what these releases served; None is all of a project.
"""

from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Any

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.ranges import Tile, TimeRange
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.releases import find_release_ids
from miniapm.storage.rollups.merging import Sum
from miniapm.storage.rollups.rows import bind_tile, find_rows, which_endpoint
from miniapm.storage.rollups.steps import find_steps

SILENCE_US = 15 * MINUTE
"""After so long without anything a service no longer counts as sending."""
_SPARKLINE_POINTS = 30


class Point(msgspec.Struct, frozen=True):
    """The figures of one step from `at` on; the sums and percentiles are in µs.

    `is_gap`: nothing is known of this step, since nobody was sending. Without it a count of 0 is a
    fact. There are no percentiles of nothing.
    """

    at: int
    count: int = 0
    failed: int = 0
    duration_us: int = 0
    database_us: int = 0
    http_us: int = 0
    p50_us: int | None = None
    p95_us: int | None = None
    p99_us: int | None = None
    is_gap: bool = False


def find_series(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    release_ids: Collection[int] | None,
    time_range: TimeRange,
) -> list[Point]:
    """A point for each step of `time_range`; `endpoint_id` may be ALL_ENDPOINTS.

    A step without requests is no gap when the service was sending: when it served another endpoint
    in it, or when what it sent before and after lies less than SILENCE_US (or three steps) apart.
    """
    found = _find_points(connection, project_id, endpoint_id, release_ids, time_range)
    points = {at: found[at] for at in time_range.starts if at in found}
    heard = set(points)
    if endpoint_id != ALL_ENDPOINTS:
        heard |= _find_heard(connection, project_id, endpoint_id, release_ids, time_range)
    sending = _fill_silences(heard, time_range)
    return [points.get(at) or Point(at, is_gap=at not in sending) for at in time_range.starts]


def _find_points(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    release_ids: Collection[int] | None,
    time_range: TimeRange,
) -> dict[int, Point]:
    """The steps that served anything, by their begins; and some around them."""

    def read(begin: int, end: int) -> dict[int, Point]:
        sums: dict[int, Sum] = {}
        for row in find_rows(
            connection, project_id, endpoint_id, Tile(time_range.resolution_minutes, begin, end)
        ):
            if release_ids is None or row[1] in release_ids:
                sums.setdefault(_step_of(row[2], time_range), Sum()).add_row(row)
        return {at: _to_point(at, total) for at, total in sums.items()}

    key = "points", endpoint_id, release_ids
    return find_steps(connection, project_id, key, time_range, read)


def find_sparklines(
    connection: Connection,
    project_id: int,
    release_ids: Collection[int] | None,
    time_range: TimeRange,
    endpoint_ids: Collection[int],
) -> dict[int, list[int]]:
    """Requests by endpoint over time, in about 30 steps, of those of `endpoint_ids` that had any;
    reads the count columns only."""
    steps = time_range.coarser(_SPARKLINE_POINTS)

    def read(begin: int, end: int) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        for endpoint_id, at, release_id, count in _find_counts(
            connection, project_id, None, Tile(steps.resolution_minutes, begin, end)
        ):
            if release_ids is None or release_id in release_ids:
                counts = found.setdefault(_step_of(at, steps), {})
                counts[endpoint_id] = counts.get(endpoint_id, 0) + count
        return found

    by_step = find_steps(connection, project_id, ("counts", release_ids), steps, read)
    by_step_shown = [by_step.get(at, {}) for at in steps.starts]
    lines = ((one, [counts.get(one, 0) for counts in by_step_shown]) for one in endpoint_ids)
    return {one: counts for one, counts in lines if any(counts)}


def find_release_shares(
    connection: Connection, project_id: int, service: str, env: str, time_range: TimeRange
) -> dict[int, list[int]]:
    """Requests by release of a service and env, for each step of `time_range`."""
    releases = find_release_ids(connection, project_id, env, service)
    steps = Tile(time_range.resolution_minutes, time_range.since, time_range.until)
    found: dict[int, list[int]] = {}
    length = len(time_range.starts)
    for _, at, release_id, count in _find_counts(connection, project_id, ALL_ENDPOINTS, steps):
        if releases is None or release_id in releases:
            counts = found.setdefault(release_id, [0] * length)
            counts[(at - time_range.since) // time_range.step_us] += count
    return found


def _find_counts(
    connection: Connection, project_id: int, endpoint_id: int | None, part: Tile
) -> Iterable[Any]:
    """Rows of (endpoint, started_at, release, count); all endpoints but ALL_ENDPOINTS where none is
    named."""
    return connection.execute(
        f"""/* rollups.find_counts */ select endpoint_id, started_at, release_id, count
        from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id {which_endpoint(endpoint_id)}
            and started_at >= :since and started_at < :until""",
        bind_tile(project_id, part, endpoint_id),
    )


def _find_heard(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    release_ids: Collection[int] | None,
    time_range: TimeRange,
) -> set[int]:
    """The steps in which the service of an endpoint served anything."""
    rows = connection.execute(
        """/* rollups.find_heard */ select started_at, release_id from rollups
        where project_id = :project_id and resolution = :resolution and endpoint_id = :all
            and started_at >= :since and started_at < :until
            and release_id in (
                select r.id from releases r join endpoints e
                    on e.project_id = r.project_id and e.service = r.service
                where e.project_id = :project_id and e.id = :endpoint_id
            )""",
        {
            **bind_tile(
                project_id,
                Tile(time_range.resolution_minutes, time_range.since, time_range.until),
                endpoint_id,
            ),
            "all": ALL_ENDPOINTS,
        },
    )
    return {
        _step_of(at, time_range)
        for at, release_id in rows
        if release_ids is None or release_id in release_ids
    }


def _step_of(instant: int, time_range: TimeRange) -> int:
    return instant - (instant - time_range.since) % time_range.step_us


def _fill_silences(heard: set[int], time_range: TimeRange) -> set[int]:
    step = time_range.step_us
    longest = max(SILENCE_US, 3 * step)
    sending = set(heard)
    for before, after in pairwise(sorted(heard)):
        if after - before <= longest:
            sending.update(range(before + step, after, step))
    return sending


def _to_point(at: int, total: Sum) -> Point:
    p50, p95, p99 = total.find_percentiles()
    return Point(
        at, total.count, total.failed, total.duration_us, total.database_us, total.http_us,
        p50, p95, p99,
    )  # fmt: skip
