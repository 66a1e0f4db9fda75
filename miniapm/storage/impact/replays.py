"""Moments of the past, replayed hour by hour as telemetry comes in, late telemetry too."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from miniapm.domain.deploys.values import Lane
from miniapm.domain.impact.moments import (
    HOUR_REACH,
    MISSING,
    PER_HOUR,
    PER_MOMENT,
    DayRates,
    replay_hour,
)
from miniapm.domain.impact.segments import MinuteSums
from miniapm.domain.impact.values import Window
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.impact.lanes import find_day_rates, find_minute_rows

SETTLE_US = 10 * 1_000_000
"""Time for the last minutes to arrive and to be flushed, before a window counts as closed."""


class QueuedHour(NamedTuple):
    """An hour to replay, and how often it was queued when that was seen."""

    lane: Lane
    hour: int
    times: int


def find_queued_lanes(connection: Connection, oldest: int, now: int) -> list[Lane]:
    """The lanes of which complete hours from `oldest` (µs) on wait to be replayed."""
    rows = connection.execute(
        """/* replay_hours.lanes */ select distinct project_id, service, env from replay_hours
        where hour >= :oldest and hour <= :latest""",
        {"oldest": oldest, "latest": now - HOUR_REACH.until - SETTLE_US},
    )
    return [Lane(*row) for row in rows]


def find_queued_hours(
    connection: Connection, lane: Lane, oldest: int, now: int, most: int
) -> list[QueuedHour]:
    """At most so many of the complete hours of a lane, oldest first."""
    rows = connection.execute(
        """/* replay_hours.find */ select hour, times from replay_hours
        where project_id = :project_id and service = :service and env = :env
            and hour >= :oldest and hour <= :latest order by hour limit :most""",
        {
            **lane._asdict(),
            "oldest": oldest,
            "latest": now - HOUR_REACH.until - SETTLE_US,
            "most": most,
        },
    )
    return [QueuedHour(lane, *row) for row in rows]


def count_queued(connection: Connection, oldest: int, now: int) -> int:
    """How many complete hours from `oldest` (µs) on wait to be replayed."""
    return int(
        scalar(
            connection,
            """/* replay_hours.count */ select count(*) from replay_hours
            where hour >= :oldest and hour <= :latest""",
            oldest=oldest,
            latest=now - HOUR_REACH.until - SETTLE_US,
        )
    )


def has_queued(connection: Connection, lane: Lane, oldest: int, hour: int, now: int) -> bool:
    """Whether complete hours of a lane from `oldest` to `hour` (µs) wait to be replayed."""
    found = scalar(
        connection,
        """/* replay_hours.has */ select 1 from replay_hours
        where project_id = :project_id and service = :service and env = :env
            and hour >= :oldest and hour < :hour and hour <= :latest limit 1""",
        **lane._asdict(),
        oldest=oldest,
        hour=hour,
        latest=now - HOUR_REACH.until - SETTLE_US,
    )
    return found is not None


def replay(
    connection: Connection, lane: Lane, hour: int, endpoint_ids: Iterable[int], least_us: float
) -> dict[int, bytes]:
    """The moments of one hour by endpoint; only of those with anything to compare."""
    window = Window(hour + HOUR_REACH.since, hour + HOUR_REACH.until)
    found = find_minute_rows(connection, lane, window, endpoint_ids)
    days = find_day_rates(connection, lane, hour, found)
    moments: dict[int, bytes] = {}
    for endpoint_id, rows in found.items():
        day = days.get(endpoint_id, DayRates(0, 0))
        numbers = replay_hour(MinuteSums(window, rows), hour, day, least_us)
        if numbers is not None:
            moments[endpoint_id] = numbers.tobytes()
    return moments


def store_replays(connection: Connection, queued: QueuedHour, moments: Mapping[int, bytes]) -> None:
    """Stores the moments of an hour; it leaves the queue unless it was stirred meanwhile. What was
    learned from that hour before is forgotten."""
    lane = queued.lane
    connection.executemany(
        """/* replays.store */ insert into replays (project_id, env, endpoint_id, hour, moments)
        values (:project_id, :env, :endpoint_id, :hour, :moments)
        on conflict (project_id, env, endpoint_id, hour) do update set
            moments = excluded.moments""",
        [
            (lane.project_id, lane.env, endpoint_id, queued.hour, blob)
            for endpoint_id, blob in moments.items()
        ],
    )
    connection.execute(
        """/* replay_hours.done */ delete from replay_hours
        where project_id = :project_id and service = :service and env = :env
            and hour = :hour and times = :times""",
        {**lane._asdict(), "hour": queued.hour, "times": queued.times},
    )
    connection.execute(
        """/* swings.forget */ delete from swings
        where project_id = :project_id and service = :service and env = :env
            and until > :hour""",
        {**lane._asdict(), "hour": queued.hour},
    )


def find_moments(
    connection: Connection, lane: Lane, hours: range, endpoint_ids: Iterable[int]
) -> dict[int, "array[int]"]:
    """The moments of endpoints in `hours` (µs, step HOUR), with MISSING where there are none; only
    of endpoints that have any."""
    empty = array("h", [MISSING]) * (PER_HOUR * PER_MOMENT)
    found: dict[int, array[int]] = {}
    for endpoint_id in endpoint_ids:
        rows = connection.execute(
            """/* replays.find */ select hour, moments from replays
            where project_id = :project_id and env = :env and endpoint_id = :endpoint_id
                and hour >= :since and hour < :until""",
            {
                "project_id": lane.project_id,
                "env": lane.env,
                "endpoint_id": endpoint_id,
                "since": hours.start,
                "until": hours.stop,
            },
        ).fetchall()
        if rows:
            known = dict(rows)
            found[endpoint_id] = _join([known.get(hour) for hour in hours], empty)
    return found


def _join(blobs: Sequence[bytes | None], empty: "array[int]") -> "array[int]":
    blank = empty.tobytes()
    joined = array("h")
    joined.frombytes(b"".join(blank if blob is None else blob for blob in blobs))
    return joined


def delete_replays_before(connection: Connection, hour: int, limit: int) -> int:
    """Deletes at most `limit` rows of hours before `hour` (µs), and what is queued of them; gives
    how many that were."""
    connection.execute(
        "/* replay_hours.drop */ delete from replay_hours where hour < :hour", {"hour": hour}
    )
    return connection.execute(
        """/* replays.delete */ delete from replays
        where (project_id, env, endpoint_id, hour) in (
            select project_id, env, endpoint_id, hour from replays
            where hour < :hour order by hour limit :limit)""",
        {"hour": hour, "limit": limit},
    ).rowcount
