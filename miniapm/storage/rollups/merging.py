"""Adding up rows of rollups. This is the hot loop of every page with figures on it."""

from collections.abc import Sequence

from miniapm.domain.histograms import add_up, find_percentiles_of

SHARES = (0.5, 0.95, 0.99)


class Sum:
    """What some rows of rollups come to; times in µs."""

    __slots__ = (
        "count", "database_us", "duration_us", "failed", "failed_id", "histograms", "http_us",
        "slow_id", "slow_us",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = self.failed = 0
        self.duration_us = self.database_us = self.http_us = 0
        self.slow_us = -1
        self.slow_id: int | None = None
        self.failed_id: int | None = None
        self.histograms: list[bytes] = []

    def find_percentiles(self) -> Sequence[int | None]:
        """p50, p95 and p99."""
        found = find_percentiles_of(add_up(self.histograms), SHARES)
        return [None if value is None else round(value) for value in found]
