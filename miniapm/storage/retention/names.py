"""Endpoints and releases that nothing refers to any more: the caps on names become free again."""

from collections.abc import Callable

from miniapm.storage.connection import Connection
from miniapm.storage.retention.spans import find_unflushed
from miniapm.storage.retention.sweep import Slice


def _keep(connection: Connection) -> None:
    pass


def _forget() -> None:
    pass


class UnusedNames:
    """Those last seen before `before` (µs) that no row needs.

    `flush` is called before a look, so that what was seen last is known; `forget` where what
    somebody remembers is no longer so.
    """

    def __init__(
        self,
        before: int,
        flush: Callable[[Connection], object] = _keep,
        forget: Callable[[], None] = _forget,
    ) -> None:
        self._before = before
        self._flush = flush
        self._forget = forget

    def __call__(self, connection: Connection, size: int) -> Slice:
        try:
            return self._delete(connection, size)
        except BaseException:  # what was flushed is undone, too
            self._forget()
            raise

    def _delete(self, connection: Connection, size: int) -> Slice:
        self._flush(connection)
        if find_unflushed(connection) is not None:  # what a crash left is not yet counted
            return Slice({}, True)
        values = {"before": self._before, "size": size}
        endpoints = connection.execute(_DELETE_ENDPOINTS, values).rowcount
        releases = connection.execute(_DELETE_RELEASES, values).rowcount
        if endpoints or releases:
            self._forget()
        return Slice(
            {"endpoints": endpoints, "releases": releases}, max(endpoints, releases) < size
        )


_DELETE_ENDPOINTS = """/* endpoints.delete_unused */ delete from endpoints
where (project_id, id) in (
    select project_id, id from endpoints p where last_seen_at < :before
        and not exists (
            select 1 from entries e where e.project_id = p.project_id and e.endpoint_id = p.id)
        and not exists (
            select 1 from rollups r where r.project_id = p.project_id
                and r.resolution in (1, 10, 60) and r.endpoint_id = p.id)
    limit :size)"""

# hours are flushed together with minutes, under the endpoint 0 too, and as a rule kept the longest
_DELETE_RELEASES = """/* releases.delete_unused */ delete from releases
where (project_id, id) in (
    select project_id, id from releases v where last_seen_at < :before and deploy_id is null
        and (project_id, id) not in (select project_id, release_id from error_releases)
        and (project_id, id) not in (select project_id, first_release_id from error_groups)
        and not exists (
            select 1 from rollups r where r.project_id = v.project_id
                and r.resolution = 60 and r.endpoint_id = 0 and r.release_id = v.id)
    limit :size)"""
