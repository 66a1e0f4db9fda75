"""Adding up rows of rollups. This is the hot loop of every page with figures on it."""

from collections.abc import Sequence
from typing import Any

from miniapm.domain.histogram_sums import find_percentiles_in, to_lanes

SHARES = (0.5, 0.95, 0.99)


class Sum:
    """What some rows of rollups come to; times in µs, `lanes` are the histogram's."""

    __slots__ = (
        "count", "database_us", "duration_us", "failed", "failed_id", "http_us", "lanes",
        "slow_id", "slow_us",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = self.failed = 0
        self.duration_us = self.database_us = self.http_us = 0
        self.slow_us = -1
        self.slow_id: int | None = None
        self.failed_id: int | None = None
        self.lanes = 0

    def add_row(self, row: Any) -> None:
        """Adds a row of `find_rows`."""
        _, _, _, count, failed, duration, database, http, slow_us, slow_id, failed_id, blob = row
        self.count += count
        self.failed += failed
        self.duration_us += duration
        self.database_us += database
        self.http_us += http
        if slow_us > self.slow_us:
            self.slow_us, self.slow_id = slow_us, slow_id
        if failed_id is not None:
            self.failed_id = max(failed_id, self.failed_id or 0)
        self.lanes += to_lanes(blob)

    def add(self, other: "Sum") -> None:
        """Adds another sum."""
        self.count += other.count
        self.failed += other.failed
        self.duration_us += other.duration_us
        self.database_us += other.database_us
        self.http_us += other.http_us
        if other.slow_us > self.slow_us:
            self.slow_us, self.slow_id = other.slow_us, other.slow_id
        if other.failed_id is not None:
            self.failed_id = max(other.failed_id, self.failed_id or 0)
        self.lanes += other.lanes

    def find_percentiles(self) -> Sequence[int | None]:
        """p50, p95 and p99."""
        found = find_percentiles_in(self.lanes, SHARES)
        return [None if value is None else round(value) for value in found]
