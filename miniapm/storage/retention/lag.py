"""How far behind the jobs are that count and delete telemetry; cheap enough for every probe."""

from typing import NamedTuple

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.durations import format_duration
from miniapm.domain.retention import Lifetimes
from miniapm.domain.spans.ids import to_arrival
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.retention.spans import find_unflushed

FLUSH_LAG = MINUTE
RETENTION_LAG = DAY
_GRACE = HOUR


class Lag(NamedTuple):
    """When the oldest request arrived that no figures hold yet, and the oldest spans that are kept;
    None where there are none."""

    unflushed_at: int | None
    oldest_spans_at: int | None


def find_lag(connection: Connection) -> Lag:
    unflushed = find_unflushed(connection)
    oldest = scalar(connection, "/* span_batches.first */ select min(id) from span_batches")
    return Lag(
        None if unflushed is None else to_arrival(unflushed),
        None if oldest is None else to_arrival(oldest),
    )


def explain_lag(lag: Lag, lifetimes: Lifetimes, now: int, since: int = 0) -> list[str]:
    """A sentence for each job that is far behind at `now`, of a server that runs since then.

    One that was just started has some time to catch up.
    """
    told = []
    if lag.unflushed_at is not None:
        behind = now - max(lag.unflushed_at, since)
        if behind > FLUSH_LAG:
            told.append(f"the figures are {_round(behind)} behind what came in")
    if lag.oldest_spans_at is not None and now - since > _GRACE:
        age = now - lag.oldest_spans_at
        if age > lifetimes.spans + RETENTION_LAG:
            told.append(
                f"spans are kept for {format_duration(lifetimes.spans)}, "
                f"but the oldest came in {_round(age)} ago"
            )
    return told


def _round(micros: int) -> str:
    for unit in (DAY, HOUR):
        if micros >= 2 * unit:
            return format_duration(micros // unit * unit)
    return format_duration(max(micros // MINUTE, 1) * MINUTE)
