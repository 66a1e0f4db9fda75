"""Adding what came since the last flush to the stored rollups, at every resolution at once: late
telemetry is then as right as any other, and nothing waits for a job that catches up."""

from miniapm.clock import MINUTE
from miniapm.domain.histograms import add_encoded, encode_buckets
from miniapm.domain.rollups import OpenRollups, Rollup, RollupKey, widen
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
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
        for key, rollup in wide.items():
            _store(connection, resolution, key, rollup)
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
    failed_id, histogram)
values (:project_id, :resolution, :endpoint_id, :started_at, :release_id, :count, :failed,
    :duration_us, :database_us, :http_us, :slow_us, :slow_id, :failed_id, :histogram)
on conflict (project_id, resolution, endpoint_id, started_at, release_id) """


def _store(connection: Connection, resolution: int, key: RollupKey, rollup: Rollup) -> None:
    row = _to_row(resolution, key, rollup)
    # most are of a new minute: they need no look-up
    if connection.execute(f"{_INSERT} do nothing", row).rowcount:
        return
    _add_stored(connection, resolution, key, rollup)
    connection.execute(
        f"""{_INSERT} do update set
            count = excluded.count, failed = excluded.failed, duration_us = excluded.duration_us,
            database_us = excluded.database_us, http_us = excluded.http_us,
            slow_us = excluded.slow_us, slow_id = excluded.slow_id,
            failed_id = excluded.failed_id, histogram = excluded.histogram""",
        _to_row(resolution, key, rollup),
    )


def _to_row(resolution: int, key: RollupKey, rollup: Rollup) -> dict[str, object]:
    return {
        "project_id": key.project_id,
        "resolution": resolution,
        "endpoint_id": key.endpoint_id,
        "started_at": key.started_at,
        "release_id": key.release_id,
        "count": rollup.count,
        "failed": rollup.failed,
        "duration_us": rollup.duration_us,
        "database_us": rollup.database_us,
        "http_us": rollup.http_us,
        "slow_us": rollup.slow_us,
        "slow_id": rollup.slow_id,
        "failed_id": rollup.failed_id,
        "histogram": encode_buckets(rollup.buckets),
    }


def _add_stored(connection: Connection, resolution: int, key: RollupKey, rollup: Rollup) -> None:
    count, failed, duration_us, database_us, http_us, slow_us, slow_id, failed_id, histogram = (
        connection.execute(
            """/* rollups.get */ select count, failed, duration_us, database_us, http_us, slow_us,
                slow_id, failed_id, histogram
            from rollups
            where project_id = :project_id and resolution = :resolution
                and endpoint_id = :endpoint_id and started_at = :started_at
                and release_id = :release_id""",
            {
                "project_id": key.project_id,
                "resolution": resolution,
                "endpoint_id": key.endpoint_id,
                "started_at": key.started_at,
                "release_id": key.release_id,
            },
        ).fetchone()
    )
    rollup.count += count
    rollup.failed += failed
    rollup.duration_us += duration_us
    rollup.database_us += database_us
    rollup.http_us += http_us
    if slow_us > rollup.slow_us:
        rollup.slow_us, rollup.slow_id = slow_us, slow_id
    if rollup.failed_id is None:
        rollup.failed_id = failed_id
    add_encoded(rollup.buckets, histogram)
