"""The SQL of keys. A secret is never stored; a change is seen by `changed_at`."""

from typing import NamedTuple

import msgspec

from miniapm.domain.ids import parse_id
from miniapm.domain.keys import Key, check_scopes, display_of, hash_secret, make_secret
from miniapm.domain.names import clean_name
from miniapm.exceptions import Conflict, Invalid, NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection, Row
from miniapm.storage.projects import Project

_SELECT = """select k.id, k.project_id, p.slug, k.name, k.display, k.scopes, k.created_at, k.env,
    k.service, k.expires_at, k.revoked_at, k.last_used_at, k.hash
    from keys k join projects p on p.id = k.project_id"""


def _to_key(row: Row) -> Key:
    return Key(
        id=row["id"],
        project_id=row["project_id"],
        project_slug=row["slug"],
        name=row["name"],
        display=row["display"],
        scopes=tuple(row["scopes"].split()),
        created_at=row["created_at"],
        env=row["env"],
        service=row["service"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


class IssuedKey(NamedTuple):
    """A new key with its secret, which is known here for the only time."""

    key: Key
    secret: str


def issue_key(
    connection: Connection,
    act: Act,
    project: Project,
    name: str,
    scopes: tuple[str, ...],
    *,
    env: str | None = None,
    service: str | None = None,
    expires_at: int | None = None,
) -> IssuedKey:
    """Makes a key; Invalid for a bad name or a scope that does not exist."""
    name = clean_name(name, "key")
    secret = make_secret()
    key = Key(
        id=act.make_id(),
        project_id=project.id,
        project_slug=project.slug,
        name=name,
        display=display_of(secret),
        scopes=check_scopes(scopes),
        created_at=act.at,
        env=clean_name(env, "environment", "env") if env else None,
        service=clean_name(service, "service", "service") if service else None,
        expires_at=expires_at,
    )
    insert_key(connection, key, hash_secret(secret))
    note(connection, act, project.id, "key.create", name, " ".join(key.scopes))
    return IssuedKey(key, secret)


def revoke_key(connection: Connection, act: Act, key_id: int, project_id: int | None = None) -> Key:
    """Ends a key now; a key that has ended stays as it was."""
    key = get_key(connection, key_id, project_id)
    update_revoked(connection, key.id, act.at, act.at)
    note(connection, act, key.project_id, "key.revoke", key.name, f"id {key.id}")
    return get_key(connection, key.id)


def rotate_key(
    connection: Connection, act: Act, key_id: int, overlap: int, project_id: int | None = None
) -> IssuedKey:
    """A new key like the old one, which ends after `overlap` µs. Conflict when it has ended."""
    old = get_key(connection, key_id, project_id)
    if old.has_ended(act.at):
        raise Conflict(f"The key {old.name} has ended already; make a new one instead.")
    secret = make_secret()
    key = msgspec.structs.replace(
        old,
        id=act.make_id(),
        display=display_of(secret),
        created_at=act.at,
        revoked_at=None,
        last_used_at=None,
    )
    insert_key(connection, key, hash_secret(secret))
    update_revoked(connection, old.id, act.at + overlap, act.at)
    note(connection, act, old.project_id, "key.rotate", old.name, f"id {old.id} to {key.id}")
    return IssuedKey(key, secret)


def insert_key(connection: Connection, key: Key, hashed: bytes) -> None:
    connection.execute(
        """/* keys.insert */ insert into keys (
            id, project_id, name, hash, display, scopes, env, service, created_at, expires_at,
            changed_at)
        values (
            :id, :project_id, :name, :hash, :display, :scopes, :env, :service, :created_at,
            :expires_at, :created_at)""",
        {
            **msgspec.structs.asdict(key),
            "scopes": " ".join(key.scopes),
            "hash": hashed,
        },
    )


def find_keys(connection: Connection, project_id: int | None = None) -> list[Key]:
    """The keys of a project, or all; oldest first, revoked ones included."""
    rows = connection.execute(
        f"""/* keys.find */ {_SELECT}
        where k.project_id = :project_id or :project_id is null order by k.id""",
        {"project_id": project_id},
    )
    return [_to_key(row) for row in rows]


def find_keys_by_hash(connection: Connection) -> dict[bytes, Key]:
    """Every key under the hash of its secret."""
    rows = connection.execute(f"/* keys.find_by_hash */ {_SELECT}")
    return {row["hash"]: _to_key(row) for row in rows}


def find_key_by_hash(connection: Connection, hashed: bytes) -> Key | None:
    row = connection.execute(
        f"/* keys.find_one_by_hash */ {_SELECT} where k.hash = :hash",
        {"hash": hashed},
    ).fetchone()
    return None if row is None else _to_key(row)


def get_key(connection: Connection, key_id: int, project_id: int | None = None) -> Key:
    """One key; NotFound also when it is another project's."""
    row = connection.execute(
        f"""/* keys.get */ {_SELECT}
        where k.id = :id and (k.project_id = :project_id or :project_id is null)""",
        {"id": key_id, "project_id": project_id},
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no key {key_id}.")
    return _to_key(row)


def get_named_key(connection: Connection, named: str, now: int) -> Key:
    """The key that somebody means who writes its id, or else its name; of several of one name, the
    one that has not ended. NotFound for none, Invalid for several."""
    name = clean_name(named, "key")
    keys = find_keys(connection)
    by_id = [key for key in keys if key.id == parse_id(name)]
    found = by_id or [key for key in keys if key.name == name]
    found = [key for key in found if not key.has_ended(now)] or found
    if len(found) > 1:
        ids = ", ".join(f"{k.id} ({k.project_slug}, {k.tell_state(now)})" for k in found)
        raise Invalid(f"There are {len(found)} keys {name}; name one by its id: {ids}.")
    if not found:
        raise NotFound(f"There is no key {name}; `miniapm keys list` shows their ids and names.")
    return found[0]


def update_revoked(connection: Connection, key_id: int, revoked_at: int, now: int) -> None:
    """Ends a key at `revoked_at`, which may lie ahead; an earlier end stays."""
    connection.execute(
        """/* keys.update_revoked */ update keys set revoked_at = :revoked_at,
            changed_at = case when changed_at < :now then :now else changed_at + 1 end
        where id = :id and (revoked_at is null or revoked_at > :revoked_at)""",
        {"id": key_id, "revoked_at": revoked_at, "now": now},
    )


def update_last_used(connection: Connection, used: dict[int, int]) -> None:
    """`used` maps a key's id to when it was last used."""
    connection.executemany(
        "/* keys.update_last_used */ update keys set last_used_at = :at where id = :id",
        [{"id": key_id, "at": at} for key_id, at in used.items()],
    )


def find_key_version(connection: Connection) -> tuple[int, int]:
    """Changes whenever a key is made, revoked or rotated, by whichever process and clock."""
    row = connection.execute(
        # each change moves one key's time forward; remainders keep the sum within 64 bits
        """/* keys.version */ select count(*), coalesce(sum(changed_at % 1000000007), 0)
        from keys"""
    ).fetchone()
    return int(row[0]), int(row[1])
