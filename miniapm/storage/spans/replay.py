"""What the writing thread reads back at the start, or after a group that failed."""

from miniapm.domain.rollups import EntryRow, OpenRollups
from miniapm.storage.connection import Connection, scalar

_PAGE = 5000


def find_last_batch(connection: Connection) -> int:
    """The largest id that a batch or an entry has; 0 when there is none."""
    batch = scalar(connection, "/* span_batches.last */ select max(id) from span_batches")
    entry = scalar(connection, "/* entries.last */ select max(id) from entries")
    return max(batch or 0, entry or 0)


def find_digests(connection: Connection, since_id: int, limit: int) -> list[tuple[int, bytes, int]]:
    """(project, digest, batch id) of the last batches, from `since_id` on, oldest first."""
    rows = connection.execute(
        """/* span_batches.digests */ select project_id, digest, id from span_batches
        where id >= :since_id order by id desc limit :limit""",
        {"since_id": since_id, "limit": limit},
    ).fetchall()
    return [tuple(row) for row in reversed(rows)]


def replay_entries(connection: Connection, rollups: OpenRollups, after_id: int) -> None:
    """Counts the entries behind `after_id`: those that no stored rollup holds yet."""
    rollups.last_id = after_id
    while True:
        rows = connection.execute(
            f"""/* entries.after */ select id, project_id, endpoint_id, release_id, started_at,
                duration_us, failed, status_code, trace_id, database_us, database_count, http_us,
                http_count
            from entries where id > :after_id order by id limit {_PAGE}""",
            {"after_id": rollups.last_id},
        ).fetchall()
        rollups.add([EntryRow(*row) for row in rows])
        if len(rows) < _PAGE:
            return
