"""The audit trail: who made, changed and revoked what."""

from typing import NamedTuple

import msgspec

from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection


class AuditEntry(msgspec.Struct, frozen=True):
    """One act. `actor` is a user's name, a key's name, or `command line`."""

    id: int
    project_id: int | None
    actor: str
    action: str
    subject: str
    detail: str
    happened_at: int


class Act(NamedTuple):
    """Who changes something, and when; makes the ids that the change needs."""

    actor: str
    at: int
    make_id: IdMaker


def note(
    connection: Connection,
    act: Act,
    project_id: int | None,
    action: str,
    subject: str,
    detail: str = "",
) -> None:
    """Writes one entry, in the transaction of the change itself. Actions read `key.create`."""
    insert_entry(
        connection,
        AuditEntry(act.make_id(), project_id, act.actor, action, subject, detail, act.at),
    )


def insert_entry(connection: Connection, entry: AuditEntry) -> None:
    connection.execute(
        """/* audit.insert */ insert into audit
            (id, project_id, actor, action, subject, detail, happened_at)
        values (:id, :project_id, :actor, :action, :subject, :detail, :happened_at)""",
        msgspec.structs.asdict(entry),
    )


def find_entries(connection: Connection, project_id: int | None, limit: int) -> list[AuditEntry]:
    """The newest entries of a project, newest first; for None those of none, such as of users."""
    whose = "project_id is null" if project_id is None else "project_id = :project_id"
    # two commands at once: what came later may have the smaller id
    rows = connection.execute(
        f"""/* audit.find */ select id, project_id, actor, action, subject, detail, happened_at
        from audit where {whose} order by happened_at desc, id desc limit :limit""",
        {"project_id": project_id, "limit": limit},
    )
    return [AuditEntry(*row) for row in rows]
