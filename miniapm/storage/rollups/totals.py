"""Figures of a stretch of time: by endpoint, by release, the slowest first.

`release_ids` narrows to what these releases served; None is all of a project.
"""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from miniapm.domain.histogram_sums import merge_encoded
from miniapm.domain.histograms import Buckets
from miniapm.domain.ranges import tile
from miniapm.storage.connection import Connection
from miniapm.storage.rollups.merging import Sum
from miniapm.storage.rollups.rows import add_row, bind_tile, find_rows

FEW_REQUESTS = 5
_ENDPOINT, _RELEASE = 0, 1


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
    rows = _find_rows(connection, project_id, release_ids, since, until, endpoint_id)
    sums: dict[int, Sum] = {}
    for row in rows:
        add_row(sums, row[_ENDPOINT], row)
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
    rows = _find_rows(connection, project_id, release_ids, since, until, endpoint_id)
    sums: dict[int, Sum] = {}
    for row in rows:
        add_row(sums, row[_RELEASE], row)
    return {key: _to_totals(endpoint_id, total) for key, total in sums.items()}


def _find_rows(
    connection: Connection,
    project_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
    endpoint_id: int | None,
) -> Iterator[Any]:
    """The rows of `find_rows` that together cover since <= t < until, of these releases."""
    for part in tile(since, until):
        for row in find_rows(connection, project_id, endpoint_id, part):
            if release_ids is None or row[_RELEASE] in release_ids:
                yield row


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
            bind_tile(project_id, part),
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
    rows = _find_rows(connection, project_id, release_ids, since, until, endpoint_id)
    return merge_encoded([row[-1] for row in rows])


def _to_totals(endpoint_id: int, total: Sum) -> Totals:
    p50, p95, p99 = total.find_percentiles()
    return Totals(
        endpoint_id, total.count, total.failed, total.duration_us, total.database_us,
        total.http_us, p50, p95, p99, total.slow_id, total.failed_id,
    )  # fmt: skip
