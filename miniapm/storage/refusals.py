"""Ingest calls that were refused, kept so that somebody learns of them."""

import msgspec

from miniapm.storage.connection import Connection

KEPT_PER_PROJECT = 200
KEPT_BODY_BYTES = 2048
UNKNOWN_PROJECT = 0


class Refusal(msgspec.Struct, frozen=True):
    """One refused call. `project_id` 0: its key is nobody's. `body` is the first 2 KB."""

    id: int
    project_id: int
    route: str
    key_id: int | None
    status: int
    message: str
    fields: dict[str, str]
    body: bytes
    refused_at: int


def insert_refusal(connection: Connection, refusal: Refusal) -> None:
    """Keeps `refusal` and forgets what is beyond the last 200 of its project.

    A project that was deleted meanwhile keeps nothing.
    """
    connection.execute(
        """/* refusals.insert */ insert into refusals
            (id, project_id, route, key_id, status, message, fields, body, refused_at)
        select :id, :project_id, :route, :key_id, :status, :message, :fields, :body, :refused_at
        where :project_id = 0 or exists (select 1 from projects where id = :project_id)""",
        {
            **msgspec.structs.asdict(refusal),
            "fields": msgspec.json.encode(refusal.fields).decode(),
        },
    )
    connection.execute(
        """/* refusals.delete_old */ delete from refusals
        where project_id = :project_id and id <= (
            select id from refusals where project_id = :project_id
            order by id desc limit 1 offset :kept)""",
        {"project_id": refusal.project_id, "kept": KEPT_PER_PROJECT},
    )


def find_refusals(connection: Connection, project_id: int, limit: int) -> list[Refusal]:
    """The newest refusals of a project (0: with unknown keys), newest first."""
    rows = connection.execute(
        """/* refusals.find */ select id, project_id, route, key_id, status, message, fields, body,
            refused_at
        from refusals where project_id = :project_id order by id desc limit :limit""",
        {"project_id": project_id, "limit": limit},
    )
    return [
        Refusal(**{**dict(row), "fields": msgspec.json.decode(row["fields"], type=dict[str, str])})
        for row in rows
    ]
