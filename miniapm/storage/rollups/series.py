"""Reading rollups: figures over time, and figures of a stretch of time by endpoint.

`release_ids` narrows to what these releases served; None is all of a project.
"""

from collections.abc import Collection
from itertools import pairwise
from typing import Any

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.histograms import Buckets, merge_encoded
from miniapm.domain.ranges import Tile, TimeRange, tile
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.releases import find_release_ids
from miniapm.storage.rollups.merging import Sum

SILENCE_US = 15 * MINUTE
"""After so long without anything a service no longer counts as sending."""
FEW_REQUESTS = 5
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


class Totals(msgspec.Struct, frozen=True):
    """The figures of an endpoint over a stretch of time; `slow_id` and `failed_id` are entries."""

    endpoint_id: int
    count: int
    failed: int
    duration_us: int
    database_us: int
    http_us: int
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    slow_id: int | None
    failed_id: int | None


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
    sums: dict[int, Sum] = {}
    for row in find_rows(
        connection,
        project_id,
        endpoint_id,
        Tile(time_range.resolution_minutes, time_range.since, time_range.until),
    ):
        if release_ids is None or row[1] in release_ids:
            _add(sums, _step_of(row[2], time_range), row)
    heard = set(sums)
    if endpoint_id != ALL_ENDPOINTS:
        heard |= _find_heard(connection, project_id, endpoint_id, release_ids, time_range)
    sending = _fill_silences(heard, time_range)
    return [_to_point(at, sums.get(at), at in sending) for at in time_range.starts]


def find_totals(
    connection: Connection,
    project_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
    endpoint_id: int | None = None,
) -> dict[int, Totals]:
    """By endpoint, those that served anything in since <= t < until (whole minutes).

    All endpoints but ALL_ENDPOINTS, or only `endpoint_id`, which may be that.
    """
    sums: dict[int, Sum] = {}
    for part in tile(since, until):
        for row in find_rows(connection, project_id, endpoint_id, part):
            if release_ids is None or row[1] in release_ids:
                _add(sums, row[0], row)
    return {key: _to_totals(key, total) for key, total in sums.items()}


def find_release_totals(
    connection: Connection,
    project_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
    endpoint_id: int,
) -> dict[int, Totals]:
    """What `find_totals` gives of one endpoint, by release."""
    sums: dict[int, Sum] = {}
    for part in tile(since, until):
        for row in find_rows(connection, project_id, endpoint_id, part):
            if release_ids is None or row[1] in release_ids:
                _add(sums, row[1], row)
    return {key: _to_totals(endpoint_id, total) for key, total in sums.items()}


def find_slowest(
    connection: Connection,
    project_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
    limit: int,
) -> list[Totals]:
    """At most `limit` endpoints, the highest p95 first; those with a few requests come last, since
    their p95 says little.

    Only those with the highest means are looked at closely: reading all histograms takes longer
    with every endpoint there is.
    """
    sums: dict[int, tuple[int, int]] = {}
    for part in tile(since, until):
        for endpoint_id, release_id, count, duration_us in connection.execute(
            """/* rollups.sum */ select endpoint_id, release_id, sum(count), sum(duration_us)
            from rollups
            where project_id = :project_id and resolution = :resolution
                and endpoint_id in (select id from endpoints where project_id = :project_id)
                and started_at >= :since and started_at < :until
            group by endpoint_id, release_id""",
            _bind(project_id, part),
        ):
            if release_ids is None or release_id in release_ids:
                count_before, duration_before = sums.get(endpoint_id, (0, 0))
                sums[endpoint_id] = count_before + count, duration_before + duration_us

    def mean(endpoint_id: int) -> tuple[bool, float]:
        count, duration_us = sums[endpoint_id]
        return count >= FEW_REQUESTS, duration_us / count

    found: list[Totals] = []
    for endpoint_id in sorted(sums, key=mean, reverse=True)[: 2 * limit]:
        one = find_totals(connection, project_id, release_ids, since, until, endpoint_id)
        found += one.values()
    found.sort(key=lambda totals: (totals.count >= FEW_REQUESTS, totals.p95_us), reverse=True)
    return found[:limit]


def find_histogram(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
) -> Buckets:
    """How the durations of an endpoint were spread in since <= t < until."""
    blobs = [
        row[-1]
        for part in tile(since, until)
        for row in find_rows(connection, project_id, endpoint_id, part)
        if release_ids is None or row[1] in release_ids
    ]
    return merge_encoded(blobs)


def find_sparklines(
    connection: Connection,
    project_id: int,
    release_ids: Collection[int] | None,
    time_range: TimeRange,
    endpoint_id: int | None = None,
) -> dict[int, list[int]]:
    """Requests by endpoint (all, or only `endpoint_id`) over time, in about 30 steps; reads the
    count columns only."""
    steps = time_range.coarser(_SPARKLINE_POINTS)
    rows = connection.execute(
        f"""/* rollups.find_sparklines */ select endpoint_id, started_at, release_id, count
        from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id {_which(endpoint_id)}
            and started_at >= :since and started_at < :until""",
        _bind(project_id, Tile(steps.resolution_minutes, steps.since, steps.until), endpoint_id),
    )
    return _count_steps(rows, 0, release_ids, steps)


def find_release_shares(
    connection: Connection, project_id: int, service: str, env: str, time_range: TimeRange
) -> dict[int, list[int]]:
    """Requests by release of a service and env, for each step of `time_range`."""
    releases = find_release_ids(connection, project_id, env, service)
    rows = connection.execute(
        """/* rollups.find_shares */ select endpoint_id, started_at, release_id, count
        from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id = :endpoint_id and started_at >= :since and started_at < :until""",
        _bind(
            project_id,
            Tile(time_range.resolution_minutes, time_range.since, time_range.until),
            ALL_ENDPOINTS,
        ),
    )
    return _count_steps(rows, 2, releases, time_range)


def _count_steps(
    rows: Any, key: int, release_ids: Collection[int] | None, steps: TimeRange
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    length = len(steps.starts)
    for row in rows:
        if release_ids is None or row[2] in release_ids:
            counts = found.get(row[key])
            if counts is None:
                counts = found[row[key]] = [0] * length
            counts[(row[1] - steps.since) // steps.step_us] += row[3]
    return found


def find_rows(connection: Connection, project_id: int, endpoint_id: int | None, part: Tile) -> Any:
    """Rows of (endpoint, release, started_at, count, failed, duration_us, database_us, http_us,
    slow_us, slow_id, failed_id, histogram); all endpoints but ALL_ENDPOINTS where none is named."""
    return connection.execute(
        f"""/* rollups.find */ select endpoint_id, release_id, started_at, count, failed,
            duration_us, database_us, http_us, slow_us, slow_id, failed_id, histogram
        from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id {_which(endpoint_id)}
            and started_at >= :since and started_at < :until""",
        _bind(project_id, part, endpoint_id),
    )


def _which(endpoint_id: int | None) -> str:
    # one, or a list of all: the index begins with it, time comes after
    if endpoint_id is None:
        return "in (select id from endpoints where project_id = :project_id)"
    return "= :endpoint_id"


def _bind(project_id: int, part: Tile, endpoint_id: int | None = None) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "resolution": part.resolution,
        "since": part.begin,
        "until": part.end,
        "endpoint_id": endpoint_id,
    }


def _add(sums: dict[int, Sum], key: int, row: Any) -> None:
    total = sums.get(key)
    if total is None:
        total = sums[key] = Sum()
    _, _, _, count, failed, duration, database, http, slow_us, slow_id, failed_id, blob = row
    total.count += count
    total.failed += failed
    total.duration_us += duration
    total.database_us += database
    total.http_us += http
    if slow_us > total.slow_us:
        total.slow_us, total.slow_id = slow_us, slow_id
    if failed_id is not None:
        total.failed_id = max(failed_id, total.failed_id or 0)
    total.histograms.append(blob)


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
            **_bind(
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


def _to_point(at: int, total: Sum | None, is_sending: bool) -> Point:
    if total is None:
        return Point(at, is_gap=not is_sending)
    p50, p95, p99 = total.find_percentiles()
    return Point(
        at, total.count, total.failed, total.duration_us, total.database_us, total.http_us,
        p50, p95, p99,
    )  # fmt: skip


def _to_totals(endpoint_id: int, total: Sum) -> Totals:
    p50, p95, p99 = total.find_percentiles()
    return Totals(
        endpoint_id, total.count, total.failed, total.duration_us, total.database_us,
        total.http_us, p50, p95, p99, total.slow_id, total.failed_id,
    )  # fmt: skip
