"""Figures of a stretch of time: by endpoint, by release, the slowest first.

`release_ids` narrows to what these releases served; None is all of a project.
"""

from collections.abc import Collection

import msgspec

from miniapm.domain.histogram_sums import to_buckets
from miniapm.domain.histograms import Buckets
from miniapm.storage.connection import Connection
from miniapm.storage.rollups.merging import Sum
from miniapm.storage.rollups.sums import add_up_endpoints, each_sum, find_sums

FEW_REQUESTS = 5


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
    found = find_sums(connection, project_id, endpoint_id, since, until)
    sums = add_up_endpoints(found, release_ids)
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
    totals: dict[int, Sum] = {}
    for sums in find_sums(connection, project_id, endpoint_id, since, until):
        for release_id, one in sums.get(endpoint_id, {}).items():
            if release_ids is None or release_id in release_ids:
                totals.setdefault(release_id, Sum()).add(one)
    return {key: _to_totals(endpoint_id, total) for key, total in totals.items()}


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

    Only those with the highest means are looked at closely: adding up all histograms takes longer
    with every endpoint there is.
    """
    found = find_sums(connection, project_id, None, since, until)
    sums: dict[int, tuple[int, int]] = {}
    for endpoint_id, release_id, one in each_sum(found):
        if release_ids is None or release_id in release_ids:
            count, duration_us = sums.get(endpoint_id, (0, 0))
            sums[endpoint_id] = count + one.count, duration_us + one.duration_us

    def mean(endpoint_id: int) -> tuple[bool, float]:
        count, duration_us = sums[endpoint_id]
        return count >= FEW_REQUESTS, duration_us / count

    closely = sorted(sums, key=mean, reverse=True)[: 2 * limit]
    added = add_up_endpoints(found, release_ids, closely)
    totals = [_to_totals(key, one) for key, one in added.items()]
    totals.sort(key=lambda totals: (totals.count >= FEW_REQUESTS, totals.p95_us), reverse=True)
    return totals[:limit]


def find_histogram(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
) -> Buckets:
    """How the durations of an endpoint were spread in since <= t < until."""
    found = find_sums(connection, project_id, endpoint_id, since, until)
    return to_buckets(sum(one.lanes for one in add_up_endpoints(found, release_ids).values()))


def _to_totals(endpoint_id: int, total: Sum) -> Totals:
    p50, p95, p99 = total.find_percentiles()
    return Totals(
        endpoint_id, total.count, total.failed, total.duration_us, total.database_us,
        total.http_us, p50, p95, p99, total.slow_id, total.failed_id,
    )  # fmt: skip
