"""What telemetry a lane has: its endpoints, releases and minutes."""

from collections.abc import Iterable

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.values import Lane
from miniapm.domain.impact.moments import DayRates
from miniapm.domain.impact.segments import MinuteRow
from miniapm.domain.impact.values import Window
from miniapm.storage.connection import Connection, scalar


def find_endpoint_names(connection: Connection, lane: Lane) -> dict[int, str]:
    """The endpoints of the service by id."""
    rows = connection.execute(
        """/* endpoints.find_of_service */ select id, name from endpoints
        where project_id = :project_id and service = :service""",
        {"project_id": lane.project_id, "service": lane.service},
    )
    return {row[0]: row[1] for row in rows}


def find_minute_rows(
    connection: Connection,
    lane: Lane,
    window: Window,
    endpoint_ids: Iterable[int],
    release_ids: Iterable[int] | None = None,
) -> dict[int, list[MinuteRow]]:
    """The minute rollups of a lane in `window`, by endpoint (ALL_ENDPOINTS may be one); of all
    releases where none are named."""
    wanted = find_release_ids(connection, lane) if release_ids is None else release_ids
    rows = connection.execute(
        f"""/* rollups.find_minutes */ select endpoint_id, started_at, count, failed, histogram
        from rollups
        where project_id = :project_id and resolution = 1
            and endpoint_id in ({_list(endpoint_ids)})
            and started_at >= :since and started_at < :until
            and +release_id in ({_list(wanted)})""",
        {"project_id": lane.project_id, "since": window.since, "until": window.until},
    )
    found: dict[int, list[MinuteRow]] = {}
    for endpoint_id, started_at, count, failed, histogram in rows:
        minutes = found.get(endpoint_id)
        if minutes is None:
            minutes = found[endpoint_id] = []
        minutes.append((started_at, count, failed, histogram))
    return found


def find_day_rates(
    connection: Connection, lane: Lane, before: int, endpoint_ids: Iterable[int]
) -> dict[int, DayRates]:
    """What endpoints served in the 24 whole hours before the hour of `before` (µs)."""
    until = before - before % HOUR
    rows = connection.execute(
        f"""/* rollups.sum_day */ select endpoint_id, sum(count), sum(failed) from rollups
        where project_id = :project_id and resolution = 60
            and endpoint_id in ({_list(endpoint_ids)})
            and started_at >= :since and started_at < :until
            and +release_id in ({_find_release_list(connection, lane)})
        group by endpoint_id""",
        {"project_id": lane.project_id, "since": until - DAY, "until": until},
    )
    return {row[0]: DayRates(row[1], row[2]) for row in rows}


def count_served(connection: Connection, lane: Lane, window: Window) -> int:
    """Requests and errors of a lane in `window`: it grows with all that comes late."""
    releases = _find_release_list(connection, lane)
    values = {"project_id": lane.project_id, "since": window.since, "until": window.until}
    requests, errors = connection.execute(
        f"""/* rollups.count_served */ select
            (select coalesce(sum(count), 0) from rollups
            where project_id = :project_id and resolution = 1 and endpoint_id = 0
                and started_at >= :since and started_at < :until
                and +release_id in ({releases})),
            (select coalesce(sum(count), 0) from error_counts
            where +project_id = :project_id and resolution = 1
                and started_at >= :since and started_at < :until
                and +release_id in ({releases}))""",
        values,
    ).fetchone()
    return int(requests + errors)


def was_heard(connection: Connection, lane: Lane, resolution: int, window: Window) -> bool:
    """Whether any request or error of a lane was counted in `window`."""
    releases = _find_release_list(connection, lane)
    found = scalar(
        connection,
        f"""/* rollups.was_heard */ select 1 where exists (select 1 from rollups
            where project_id = :project_id and resolution = :resolution and endpoint_id = 0
                and started_at >= :since and started_at < :until
                and +release_id in ({releases}))
        or exists (select 1 from error_counts
            where +project_id = :project_id and resolution = :resolution
                and started_at >= :since and started_at < :until
                and +release_id in ({releases}))""",
        project_id=lane.project_id,
        resolution=resolution,
        since=window.since,
        until=window.until,
    )
    return found is not None


def find_release_ids(connection: Connection, lane: Lane) -> list[int]:
    """The ids of the releases that served in a lane."""
    rows = connection.execute(
        """/* releases.ids_of_lane */ select id from releases
        where project_id = :project_id and service = :service and env = :env""",
        lane._asdict(),
    )
    return [row[0] for row in rows]


def find_own_releases(connection: Connection, lane: Lane, deploy_id: int) -> list[int]:
    """The ids of the releases of a lane that are this deploy."""
    rows = connection.execute(
        """/* releases.ids_of_deploy */ select id from releases
        where project_id = :project_id and deploy_id = :deploy_id
            and service = :service and env = :env""",
        {**lane._asdict(), "deploy_id": deploy_id},
    )
    return [row[0] for row in rows]


def _find_release_list(connection: Connection, lane: Lane) -> str:
    return _list(find_release_ids(connection, lane))


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(number)) for number in ids) or "null"
