"""What is known of endpoints without their histograms: names, times, and what was counted."""

from collections.abc import Collection
from typing import NamedTuple

from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection, Row
from miniapm.storage.releases import Endpoint, Release
from miniapm.storage.rollups.sums import each_sum, find_sums


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
    return Endpoint(*_get(connection, project_id, endpoint_id, "id, service, name"))


def find_counted(
    connection: Connection, project_id: int, releases: Collection[Release], since: int, until: int
) -> list[Counted]:
    """What `releases` served in since <= t < until."""
    known = {release.id for release in releases}
    found: dict[tuple[int, int], list[int]] = {}
    for endpoint_id, release_id, one in each_sum(
        find_sums(connection, project_id, None, since, until)
    ):
        if release_id in known:
            counted = found.setdefault((endpoint_id, release_id), [0, 0, 0])
            counted[0] += one.count
            counted[1] += one.failed
            counted[2] += one.duration_us
    return [Counted(*key, *counted) for key, counted in found.items()]


def get_endpoint_times(connection: Connection, project_id: int, endpoint_id: int) -> EndpointTimes:
    """When an endpoint of a project was called; NotFound when it has none with this id."""
    columns = "first_seen_at, last_seen_at"
    return EndpointTimes(*_get(connection, project_id, endpoint_id, columns))


def _get(connection: Connection, project_id: int, endpoint_id: int, columns: str) -> Row:
    row: Row | None = connection.execute(
        f"""/* endpoints.get */ select {columns} from endpoints
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": endpoint_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such endpoint.")
    return row
