"""Calls that can be recognised when they are sent again: their Idempotency-Keys, for seven days."""

import msgspec

from miniapm.clock import DAY
from miniapm.domain.deploys.values import Announcement
from miniapm.exceptions import Conflict
from miniapm.storage.connection import Connection

IDEMPOTENCY_DAYS = 7


class Replay(msgspec.Struct, frozen=True):
    """What makes a call recognisable when it is sent again: its route, its key, its body."""

    route: str
    key: str
    body_hash: bytes


def find_replay(connection: Connection, announcement: Announcement, replay: Replay) -> int | None:
    """The deploy that this very call made before; Conflict when its key came with another body."""
    row = connection.execute(
        """/* idempotency.find */ select body_hash, deploy_id from idempotency
        where project_id = :project_id and route = :route and key = :key
            and created_at > :forgotten""",
        {
            "project_id": announcement.project_id,
            "route": replay.route,
            "key": replay.key,
            "forgotten": announcement.received_at - IDEMPOTENCY_DAYS * DAY,
        },
    ).fetchone()
    if row is None:
        return None
    if row["body_hash"] != replay.body_hash:
        raise Conflict("This Idempotency-Key came with another body before; use a new key.")
    return int(row["deploy_id"])


def insert_replay(
    connection: Connection, announcement: Announcement, replay: Replay, deploy_id: int
) -> None:
    """Remembers what the call made."""
    connection.execute(
        """/* idempotency.insert */ insert into idempotency
            (project_id, route, key, body_hash, deploy_id, created_at)
        values (:project_id, :route, :key, :body_hash, :deploy_id, :created_at)
        on conflict (project_id, route, key) do update set
            body_hash = excluded.body_hash, deploy_id = excluded.deploy_id,
            created_at = excluded.created_at""",
        {
            "project_id": announcement.project_id,
            "route": replay.route,
            "key": replay.key,
            "body_hash": replay.body_hash,
            "deploy_id": deploy_id,
            "created_at": announcement.received_at,
        },
    )


def delete_replays_before(connection: Connection, instant: int) -> int:
    """Forgets idempotency keys from before `instant`; how many."""
    return connection.execute(
        "/* idempotency.delete_before */ delete from idempotency where created_at < :instant",
        {"instant": instant},
    ).rowcount
