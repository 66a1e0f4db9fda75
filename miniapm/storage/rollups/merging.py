"""Adding up rows of rollups. This is the hot loop of every page with figures on it."""

from collections.abc import Sequence
from functools import lru_cache

from miniapm.domain.histogram_sums import add_up, merge_encoded
from miniapm.domain.histograms import Buckets, find_percentiles_of

# what is merged once is remembered by what went into it: closed times stay what they are, and late
# telemetry makes other bytes; some megabytes at most
_REMEMBERED = 4096

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
        return _find_percentiles(tuple(self.histograms))


@lru_cache(maxsize=_REMEMBERED)
def _find_percentiles(blobs: tuple[bytes, ...]) -> Sequence[int | None]:
    found = find_percentiles_of(add_up(blobs), SHARES)
    return tuple(None if value is None else round(value) for value in found)


@lru_cache(maxsize=_REMEMBERED)
def merge_remembered(blobs: tuple[bytes, ...]) -> Buckets:
    """The sum of stored histograms; not to be changed, for the next who asks has the same one."""
    return merge_encoded(blobs)
