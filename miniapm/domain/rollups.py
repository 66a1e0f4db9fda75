"""Rollups: what one endpoint of one release did in a minute, ten minutes, an hour; they merge by
adding. `OpenRollups` holds what came since the last flush."""

from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.histograms import Buckets, bucket_of

RESOLUTIONS = (1, 10, 60)
"""Minutes that a rollup spans."""


class RollupKey(NamedTuple):
    """Whose rollup it is; `started_at` in µs is a whole number of its minutes."""

    project_id: int
    endpoint_id: int
    release_id: int
    started_at: int


class Rollup:
    """Counts and sums (µs) of calls. `slow_id` is the entry that took `slow_us`, the longest;
    `failed_id` the last that failed, or None."""

    __slots__ = (
        "buckets",
        "count",
        "database_us",
        "duration_us",
        "failed",
        "failed_id",
        "http_us",
        "slow_id",
        "slow_us",
    )

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.duration_us = 0
        self.database_us = 0
        self.http_us = 0
        self.slow_us = -1
        self.slow_id = 0
        self.failed_id: int | None = None
        self.buckets: Buckets = {}

    def merge(self, other: "Rollup") -> None:
        """Adds `other` to this."""
        self.count += other.count
        self.failed += other.failed
        self.duration_us += other.duration_us
        self.database_us += other.database_us
        self.http_us += other.http_us
        if other.slow_us > self.slow_us:
            self.slow_us, self.slow_id = other.slow_us, other.slow_id
        if other.failed_id is not None:
            self.failed_id = other.failed_id
        find = self.buckets.get
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = find(bucket, 0) + count


Rollups = dict[RollupKey, Rollup]


class EntryRow(NamedTuple):
    """An entry as its row has it; instants and durations in µs, flags 0 or 1."""

    id: int
    project_id: int
    endpoint_id: int
    release_id: int
    started_at: int
    duration_us: int
    failed: int
    status_code: int | None
    trace_id: bytes | None
    database_us: int
    database_count: int
    http_us: int
    http_count: int


class OpenRollups:
    """The minutes that grew since the last flush, and the last entry that they hold."""

    def __init__(self) -> None:
        self.minutes: Rollups = {}
        self.last_id = 0

    def add(self, entries: list[EntryRow]) -> None:
        """Counts entries, which come in the order of their ids."""
        minutes = self.minutes
        for entry in entries:
            started_at = entry.started_at
            key = RollupKey(
                entry.project_id,
                entry.endpoint_id,
                entry.release_id,
                started_at - started_at % MINUTE,
            )
            rollup = minutes.get(key)
            if rollup is None:
                rollup = minutes[key] = Rollup()
            duration = entry.duration_us
            rollup.count += 1
            rollup.duration_us += duration
            rollup.database_us += entry.database_us
            rollup.http_us += entry.http_us
            if entry.failed:
                rollup.failed += 1
                rollup.failed_id = entry.id
            if duration > rollup.slow_us:
                rollup.slow_us, rollup.slow_id = duration, entry.id
            bucket = bucket_of(duration)
            rollup.buckets[bucket] = rollup.buckets.get(bucket, 0) + 1
        if entries:
            self.last_id = entries[-1].id

    def clear(self) -> None:
        """Forgets the minutes: they are flushed."""
        self.minutes.clear()


def widen(minutes: Rollups, all_endpoints: int) -> dict[int, Rollups]:
    """What `minutes` add up to at each resolution, those of all endpoints of a release together
    (under the id `all_endpoints`) among them. The rollups of single minutes are not copied."""
    widths = {1: dict(minutes)}
    finer = minutes
    for resolution in RESOLUTIONS[1:]:
        step = resolution * MINUTE
        wide: Rollups = {}
        for key, rollup in finer.items():
            _merge_into(
                wide, key._replace(started_at=key.started_at - key.started_at % step), rollup
            )
        widths[resolution] = finer = wide
    for rollups in widths.values():
        whole: Rollups = {}
        for key, rollup in rollups.items():
            _merge_into(whole, key._replace(endpoint_id=all_endpoints), rollup)
        rollups.update(whole)
    return widths


def _merge_into(rollups: Rollups, key: RollupKey, rollup: Rollup) -> None:
    whole = rollups.get(key)
    if whole is None:
        whole = rollups[key] = Rollup()
    whole.merge(rollup)
