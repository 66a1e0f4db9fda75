"""What the settings page of a project shows, read at one moment."""

from typing import NamedTuple

from miniapm.domain.keys import Key
from miniapm.domain.users import User
from miniapm.storage.audit import AuditEntry, find_entries
from miniapm.storage.connection import Connection
from miniapm.storage.keys import find_keys
from miniapm.storage.refusals import UNKNOWN_PROJECT, Refusal, find_refusals
from miniapm.storage.users import find_users

SHOWN_ENTRIES = 100


class ProjectSettings(NamedTuple):
    """Newest first, keys too. The last two are empty unless asked for."""

    keys: list[Key]
    refusals: list[Refusal]
    entries: list[AuditEntry]
    unknown_refusals: list[Refusal]
    users: list[User]


def find_settings(
    connection: Connection, project_id: int, most_refusals: int, *, whole_server: bool
) -> ProjectSettings:
    """`whole_server` adds what belongs to no project: for admins."""
    entries = find_entries(connection, project_id, SHOWN_ENTRIES)
    unknown: list[Refusal] = []
    users: list[User] = []
    if whole_server:
        entries += find_entries(connection, None, SHOWN_ENTRIES)
        entries.sort(key=lambda entry: (entry.happened_at, entry.id), reverse=True)
        unknown = find_refusals(connection, UNKNOWN_PROJECT, most_refusals)
        users = [user for user in find_users(connection) if user.may_see(project_id)]
    return ProjectSettings(
        keys=find_keys(connection, project_id)[::-1],
        refusals=find_refusals(connection, project_id, most_refusals),
        entries=entries[:SHOWN_ENTRIES],
        unknown_refusals=unknown,
        users=users,
    )
