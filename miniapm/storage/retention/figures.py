"""Old figures: rollups, whose rows stand by endpoint, counts of errors, and replayed moments."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.storage.connection import Connection, scalar
from miniapm.storage.errors.counts import delete_error_counts_before
from miniapm.storage.impact.replays import delete_replays_before
from miniapm.storage.retention.sweep import Slice


class _Series(NamedTuple):
    """What rows of rollups have in common whose time alone differs."""

    project_id: int
    resolution: int
    endpoint_id: int


class OldRollups:
    """The rollups that begin before the instant that `before` has for their resolution (µs)."""

    def __init__(self, before: Mapping[int, int]) -> None:
        self._before = before
        self._done = _Series(-1, 0, 0)

    def __call__(self, connection: Connection, size: int) -> Slice:
        removed = 0
        left = size
        while left > 0:
            series = _find_next(connection, self._done)
            if series is None:
                return Slice({"rollups": removed}, True)
            before = self._before.get(series.resolution, 0)
            deleted, is_done = _delete(connection, series, before, left)
            if is_done:
                self._done = series
            removed += deleted
            left -= deleted + 1  # a look costs about as much as a row
        return Slice({"rollups": removed}, False)


class OldErrorCounts:
    """The counts of errors that begin before the instant of their resolution (µs)."""

    def __init__(self, before: Mapping[int, int]) -> None:
        self._before = dict(before)

    def __call__(self, connection: Connection, size: int) -> Slice:
        resolution = next(iter(self._before))
        removed = delete_error_counts_before(connection, resolution, self._before[resolution], size)
        if removed < size:
            del self._before[resolution]
        return Slice({"error_counts": removed}, not self._before)


class OldReplays:
    """The moments of hours before an instant (µs): their minutes are gone as well."""

    def __init__(self, before: int) -> None:
        self._before = before

    def __call__(self, connection: Connection, size: int) -> Slice:
        removed = delete_replays_before(connection, self._before, size)
        return Slice({"replays": removed}, removed < size)


def _find_next(connection: Connection, after: _Series) -> _Series | None:
    row = connection.execute(
        """/* rollups.find_next_series */ select project_id, resolution, endpoint_id from rollups
        where (project_id, resolution, endpoint_id) > (:project_id, :resolution, :endpoint_id)
        order by project_id, resolution, endpoint_id limit 1""",
        after._asdict(),
    ).fetchone()
    return None if row is None else _Series(*row)


def _delete(connection: Connection, series: _Series, before: int, most: int) -> tuple[int, bool]:
    """Deletes the oldest rows of a series, `most` and those of the same instant; gives how many
    that were and whether none are left."""
    last = scalar(
        connection,
        """/* rollups.find_slice */ select started_at from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id = :endpoint_id and started_at < :before
        order by started_at limit 1 offset :place""",
        **series._asdict(),
        before=before,
        place=most - 1,
    )
    removed = connection.execute(
        """/* rollups.delete_old */ delete from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id = :endpoint_id and started_at < :before""",
        {**series._asdict(), "before": before if last is None else last + 1},
    ).rowcount
    return removed, last is None
