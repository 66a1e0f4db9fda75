"""Which range holds what came in of late: a few looks into indexes, no span is read."""

from miniapm.domain.ranges import DEFAULT_RANGE, SHORTER_RANGES, range_named
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection, scalar


def find_default_range(connection: Connection, project_id: int, now: int) -> str:
    """The name of the shortest range that holds all telemetry of the default one; that one itself
    where there is none, or where it cannot be told. The same for all of a project."""
    until, chosen = range_named(DEFAULT_RANGE, now).since, DEFAULT_RANGE
    # the oldest first: where an application has been sending for long, one look tells
    for shorter in reversed(SHORTER_RANGES):
        since, until = until, range_named(shorter, now).since
        if _has_telemetry(connection, project_id, since, until):
            return chosen
        chosen = shorter
    latest = range_named(chosen, now)
    is_there = _has_telemetry(connection, project_id, latest.since, latest.until)
    return chosen if is_there else DEFAULT_RANGE


def _has_telemetry(connection: Connection, project_id: int, since: int, until: int) -> bool:
    """Whether there are requests or errors of since <= t < until. An error that was seen before and
    after it may have been seen in it, too."""
    found = scalar(
        connection,
        """/* ranges.has_telemetry */ select 1 where exists (
            select 1 from rollups
            where project_id = :project_id and resolution = 1 and endpoint_id = :endpoint_id
                and started_at >= :since and started_at < :until
        ) or exists (
            select 1 from error_groups
            where project_id = :project_id and last_seen_at >= :since and first_seen_at < :until
        )""",
        project_id=project_id,
        endpoint_id=ALL_ENDPOINTS,
        since=since,
        until=until,
    )
    return found is not None
