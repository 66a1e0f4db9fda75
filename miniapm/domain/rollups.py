"""Rollups: what one endpoint of one release did in a minute, ten minutes, an hour; they merge by
adding. `OpenRollups` holds what came since the last flush."""

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.histograms import Buckets, bucket_of

RESOLUTIONS = (1, 10, 60)
"""Minutes that a rollup spans."""

MOST_FRESH = 8192
"""Entries that wait in memory before they are added up."""


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

    def add(self, entries: "Sequence[EntryValues]") -> None:
        """Counts entries, at least one, in the order of their ids."""
        ids, _, _, _, _, durations, failed, _, _, database, _, http, _ = zip(*entries, strict=True)
        self.count += len(entries)
        self.duration_us += sum(durations)
        self.database_us += sum(database)
        self.http_us += sum(http)
        if any(failed):
            self.failed += sum(failed)
            self.failed_id = max(compress(ids, failed))
        slow_us = max(durations)
        if slow_us > self.slow_us:
            self.slow_us, self.slow_id = slow_us, ids[durations.index(slow_us)]
        buckets = self.buckets
        for bucket in map(bucket_of, durations):
            buckets[bucket] = buckets.get(bucket, 0) + 1

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


EntryValues = tuple[int, int, int, int, int, int, int, int | None, bytes | None, int, int, int, int]
"""As `EntryRow`, whose names cost more than what is done with them where all entries come by."""


class OpenRollups:
    """The minutes that grew since the last flush, and the last entry that they hold."""

    def __init__(self) -> None:
        self._minutes: Rollups = {}
        # what came of late, as it came: to add it up a column at a time takes half the time
        self._fresh: dict[tuple[int, int, int, int], list[EntryValues]] = {}
        self._fresh_count = 0
        self.last_id = 0

    @property
    def minutes(self) -> Rollups:
        """What all entries so far add up to."""
        self._add_up()
        return self._minutes

    def add(self, entries: Sequence[EntryValues]) -> None:
        """Counts entries, which come in the order of their ids."""
        fresh = self._fresh
        for entry in entries:
            at = entry[4]
            # project, endpoint, release
            key = *entry[1:4], at - at % MINUTE
            if key in fresh:
                fresh[key].append(entry)
            else:
                fresh[key] = [entry]
        if entries:
            self.last_id = entries[-1][0]
            self._fresh_count += len(entries)
            if self._fresh_count > MOST_FRESH:
                self._add_up()

    def _add_up(self) -> None:
        for key, entries in self._fresh.items():
            known = RollupKey(*key)
            rollup = self._minutes.get(known)
            if rollup is None:
                rollup = self._minutes[known] = Rollup()
            rollup.add(entries)
        self._fresh.clear()
        self._fresh_count = 0

    def clear(self) -> None:
        """Forgets the minutes: they are flushed."""
        self._minutes.clear()
        self._fresh.clear()
        self._fresh_count = 0


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
