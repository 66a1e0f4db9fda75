"""What telemetry left of projects that were deleted: too much for one transaction.

Releases go last: as long as one is there, a deletion that was broken off is found and finished.
"""

from miniapm.storage.connection import Connection, scalar
from miniapm.storage.retention.sweep import Slice

# each with its key; the index by which rows are found begins with the project
_TABLES = {
    "entries": "id",
    "rollups": "project_id, resolution, endpoint_id, started_at, release_id",
    "error_occurrences": "id",
    "error_counts": "project_id, resolution, group_id, started_at, release_id",
    "error_releases": "project_id, group_id, release_id",
    "error_recent": "project_id, position",
    "impacts": "deploy_id",
    "impact_changes": "id",
    "impact_reviews": "deploy_id",
    "replays": "project_id, env, endpoint_id, hour",
    "replay_hours": "project_id, service, env, hour",
    "swings": "project_id, service, env",
    "endpoints": "project_id, id",
    "releases": "project_id, id",
}
_LARGEST_ID = 2**63 - 1
_NAMED = {"entries": "requests", "error_occurrences": "occurrences"}


class ProjectTelemetry:
    """All telemetry of one project."""

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        self._after: int | None = -1
        self._tables = list(_TABLES)

    def __call__(self, connection: Connection, size: int) -> Slice:
        if self._after is not None:
            return self._delete_batches(connection, size)
        table = self._tables[0]
        removed = connection.execute(
            f"""/* projects.delete_telemetry */ delete from {table}
            where ({_TABLES[table]}) in (
                select {_TABLES[table]} from {table} where project_id = :project_id limit :size)""",
            {"project_id": self._project_id, "size": size},
        ).rowcount
        if removed < size:
            self._tables.pop(0)
        return Slice({_NAMED.get(table, table): removed}, not self._tables)

    def _delete_batches(self, connection: Connection, size: int) -> Slice:
        """Batches have no index by project: all are looked through."""
        last = scalar(
            connection,
            """/* span_batches.find_next */ select id from span_batches where id > :after
            order by id limit 1 offset :place""",
            after=self._after,
            place=size - 1,
        )
        values = {
            "project_id": self._project_id,
            "after": self._after,
            "last": _LARGEST_ID if last is None else last,
        }
        self._after = last
        spans = scalar(
            connection,
            """/* span_batches.sum_project */ select sum(span_count) from span_batches
            where id > :after and id <= :last and project_id = :project_id""",
            **values,
        )
        for table, key in (("span_batches", "id"), ("span_batch_traces", "batch_id")):
            connection.execute(
                f"""/* projects.delete_batches */ delete from {table}
                where {key} > :after and {key} <= :last and project_id = :project_id""",
                values,
            )
        return Slice({"spans": spans or 0}, False)


class GoneProjects:
    """The telemetry of all projects that are no more."""

    def __init__(self) -> None:
        self._erasing: ProjectTelemetry | None = None

    def __call__(self, connection: Connection, size: int) -> Slice:
        if self._erasing is None:
            gone = _find_gone(connection)
            if gone is None:
                return Slice({}, True)
            self._erasing = ProjectTelemetry(gone)
        done = self._erasing(connection, size)
        if done.is_last:
            self._erasing = None
        return Slice(done.removed, False)


def _find_gone(connection: Connection) -> int | None:
    """A project that has telemetry but no row."""
    found: int | None = scalar(
        connection,
        """/* projects.find_gone */ select project_id from releases
        where project_id not in (select id from projects)
        union select project_id from endpoints
        where project_id not in (select id from projects)
        limit 1""",
    )
    return _find_gone_rollup(connection) if found is None else found


def _find_gone_rollup(connection: Connection) -> int | None:
    known = {row[0] for row in connection.execute("/* projects.ids */ select id from projects")}
    after: int | None = -1
    while True:
        after = scalar(
            connection,
            "/* rollups.next_project */ select min(project_id) from rollups where project_id > :id",
            id=after,
        )
        if after is None or after not in known:
            return after
