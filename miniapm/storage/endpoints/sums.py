"""What is known of endpoints without their histograms: names, times, and what was counted."""

from collections.abc import Collection
from typing import NamedTuple

from miniapm.domain.ranges import tile
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.releases import Endpoint, Release


class Counted(NamedTuple):
    """Calls of one endpoint by one release; the time is a sum in µs."""

    endpoint_id: int
    release_id: int
    calls: int
    failed: int
    duration_us: int


class EndpointTimes(NamedTuple):
    """When an endpoint was called first, and last (to the minute)."""

    first_seen_at: int
    last_seen_at: int


def get_endpoint(connection: Connection, project_id: int, endpoint_id: int) -> Endpoint:
    """An endpoint of a project; NotFound when it has none with this id."""
    row = connection.execute(
        """/* endpoints.get */ select id, service, name from endpoints
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": endpoint_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such endpoint.")
    return Endpoint(*row)


def find_counted(
    connection: Connection, project_id: int, releases: Collection[Release], since: int, until: int
) -> list[Counted]:
    """What `releases` served in since <= t < until; SQLite adds up each tile of it."""
    known = {release.id for release in releases}
    found: list[Counted] = []
    for part in tile(since, until):
        rows = connection.execute(
            """/* endpoints.count_calls */ select endpoint_id, release_id, sum(count), sum(failed),
                sum(duration_us)
            from rollups
            where project_id = :project_id and resolution = :resolution
                and endpoint_id in (select id from endpoints where project_id = :project_id)
                and started_at >= :since and started_at < :until
            group by endpoint_id, release_id""",
            {
                "project_id": project_id,
                "resolution": part.resolution,
                "since": part.begin,
                "until": part.end,
            },
        )
        found += [Counted(*row) for row in rows if row[1] in known]
    return found


def get_endpoint_times(connection: Connection, project_id: int, endpoint_id: int) -> EndpointTimes:
    """When an endpoint of a project was called; NotFound when it has none with this id."""
    row = connection.execute(
        """/* endpoints.get_times */ select first_seen_at, last_seen_at from endpoints
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": endpoint_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such endpoint.")
    return EndpointTimes(*row)
