"""Adding what came since the last flush to the stored rollups, at every resolution at once: late
telemetry is then as right as any other, and nothing waits for a job that catches up."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from miniapm.clock import MINUTE
from miniapm.domain.histograms import add_encoded, encode_buckets
from miniapm.domain.rollups import OpenRollups, Rollup, RollupKey, Rollups, widen
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.many_rows import find_rows, insert_rows
from miniapm.storage.progress import set_progress

Seen = tuple[int, int]
"""The first and the last minute of something, in µs."""


def flush_rollups(connection: Connection, rollups: OpenRollups) -> int:
    """Merges the open minutes into the table and notes how far they reach; gives how many rows
    that took. The caller clears `rollups` once this is committed."""
    if not rollups.minutes:
        return 0
    written = 0
    for resolution, wide in widen(rollups.minutes, ALL_ENDPOINTS).items():
        _store(connection, resolution, wide)
        written += len(wide)
    _note_seen(connection, rollups)
    set_progress(connection, rollups.last_id)
    return written


def _note_seen(connection: Connection, rollups: OpenRollups) -> None:
    """Moves the first and last times at which the releases and endpoints were seen."""
    releases: dict[tuple[int, int], Seen] = {}
    endpoints: dict[tuple[int, int], Seen] = {}
    for project_id, endpoint_id, release_id, at in rollups.minutes:
        for seen, of in ((releases, release_id), (endpoints, endpoint_id)):
            first, last = seen.get((project_id, of), (at, at))
            seen[project_id, of] = min(first, at), max(last, at)
    # a release that began earlier than was known is looked at again for its deploy
    for table, names, again in (
        ("releases", releases, ", looked_at = 0"),
        ("endpoints", endpoints, ""),
    ):
        rows = [(last, *of) for of, (_, last) in names.items()]
        connection.executemany(
            f"""/* names.seen_last */ update {table} set last_seen_at = :last
            where last_seen_at < :last and project_id = :project_id and id = :id""",
            rows,
        )
        # the minute is known here; the row may have the very instant within it
        connection.executemany(
            f"""/* names.seen_first */ update {table} set first_seen_at = :first{again}
            where first_seen_at >= :after and project_id = :project_id and id = :id""",
            [(first, first + MINUTE, *of) for of, (first, _) in names.items()],
        )


_INSERT = """/* rollups.insert */ insert into rollups (project_id, resolution, endpoint_id,
    started_at, release_id, count, failed, duration_us, database_us, http_us, slow_us, slow_id,
    failed_id, histogram)"""
_REPLACE = """
on conflict (project_id, resolution, endpoint_id, started_at, release_id) do update set
    count = excluded.count, failed = excluded.failed, duration_us = excluded.duration_us,
    database_us = excluded.database_us, http_us = excluded.http_us, slow_us = excluded.slow_us,
    slow_id = excluded.slow_id, failed_id = excluded.failed_id, histogram = excluded.histogram"""
_WANTED = """/* rollups.find_stored */ with wanted (project_id, resolution, endpoint_id, started_at,
    release_id) as ("""
# the wanted ones first: SQLite keeps to the order of a cross join
_FIND = """)
select r.project_id, r.endpoint_id, r.release_id, r.started_at, r.count, r.failed, r.duration_us,
    r.database_us, r.http_us, r.slow_us, r.slow_id, r.failed_id, r.histogram
from wanted w cross join rollups r
where r.project_id = w.project_id and r.resolution = w.resolution
    and r.endpoint_id = w.endpoint_id and r.started_at = w.started_at
    and r.release_id = w.release_id"""


def _store(connection: Connection, resolution: int, rollups: Rollups) -> None:
    """Adds rollups of one resolution to the stored ones."""
    # in the order of the table: neighbours lie on the same pages
    keys = sorted(rollups, key=attrgetter("project_id", "endpoint_id", "started_at", "release_id"))
    wanted = [(k.project_id, resolution, k.endpoint_id, k.started_at, k.release_id) for k in keys]
    for row in find_rows(connection, _WANTED, wanted, _FIND):
        _add_stored(rollups[RollupKey(*row[:4])], row[4:])
    rows = [(*place, *_to_values(rollups[key])) for place, key in zip(wanted, keys, strict=True)]
    insert_rows(connection, _INSERT, rows, _REPLACE)


def _to_values(rollup: Rollup) -> tuple[int | bytes | None, ...]:
    return (
        rollup.count,
        rollup.failed,
        rollup.duration_us,
        rollup.database_us,
        rollup.http_us,
        rollup.slow_us,
        rollup.slow_id,
        rollup.failed_id,
        encode_buckets(rollup.buckets),
    )


def _add_stored(rollup: Rollup, stored: Sequence[Any]) -> None:
    count, failed, duration_us, database_us, http_us, slow_us, slow_id, failed_id, buckets = stored
    rollup.count += count
    rollup.failed += failed
    rollup.duration_us += duration_us
    rollup.database_us += database_us
    rollup.http_us += http_us
    if slow_us > rollup.slow_us:
        rollup.slow_us, rollup.slow_id = slow_us, slow_id
    if rollup.failed_id is None:
        rollup.failed_id = failed_id
    add_encoded(rollup.buckets, buckets)
