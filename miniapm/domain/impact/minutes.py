"""The minutes around a deploy, kept with its verdict: its page outlives the rollups."""

import msgspec


class MinuteFigures(msgspec.Struct, frozen=True):
    """One endpoint, or all of the service together (endpoint 0): a figure for each minute.

    Percentiles are µs, None where nothing was served.
    """

    endpoint_id: int
    name: str
    counts: tuple[int, ...]
    failed: tuple[int, ...]
    p50_us: tuple[int | None, ...]
    p95_us: tuple[int | None, ...]


class ImpactMinutes(msgspec.Struct, frozen=True):
    """From `since` (µs) on, minute by minute: an hour before the deploy to an hour after it. The
    service as a whole comes first, then the endpoints that matter most."""

    since: int
    series: tuple[MinuteFigures, ...]


class Strip(msgspec.Struct, frozen=True):
    """A deploy's hour before and after in steps of two minutes, for the timeline: p95 in µs (None:
    nothing served) and the share of failed requests. `since` is where it begins, `deploy_at` where
    the deploy stands (µs)."""

    since: int
    deploy_at: int
    p95_us: tuple[int | None, ...]
    failed: tuple[float, ...]
