"""Sessions: begun, found and ended, and the passwords that begin them.

Each change is one write, so that of two at the same moment one wins and the other learns it.
Tokens come in hashed, since libraries below log their arguments, and go out as they are.
"""

from typing import NamedTuple

from miniapm.clock import DAY
from miniapm.domain.tokens import hash_token, make_token
from miniapm.domain.users import User
from miniapm.exceptions import Forbidden
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.users import find_password_hash, get_user, to_user, update_password

SESSION_LIFETIME = 30 * DAY


class WrongPassword(Forbidden):
    """The name or the password is wrong; which of them is not told."""

    def __init__(self) -> None:
        super().__init__("The name or the password is wrong.")


class Credentials(NamedTuple):
    """A user and the hash that their password must match."""

    user: User
    password_hash: str


def find_credentials(connection: Connection, name: str) -> Credentials | None:
    """The user of this name and the hash of their password."""
    stored = find_password_hash(connection, name)
    return None if stored is None else Credentials(get_user(connection, name), stored)


def sign_in(
    connection: Connection, user: User, verified: str, now: int, previous: bytes | None
) -> str:
    """The session of a user whose password matched the hash `verified`.

    WrongPassword when the hash was replaced since.
    """
    if find_password_hash(connection, user.name) != verified:
        raise WrongPassword
    return begin_session(connection, user.id, now, previous)


def change_password(
    connection: Connection, act: Act, user: User, verified: str, password_hash: str
) -> str:
    """Replaces the password, ends every session, and begins a new one.

    WrongPassword when the hash `verified` was replaced since.
    """
    if find_password_hash(connection, user.name) != verified:
        raise WrongPassword
    update_password(connection, user.id, password_hash)
    note(connection, act, None, "user.password", user.name)
    return begin_session(connection, user.id, act.at)


def begin_session(
    connection: Connection, user_id: int, now: int, previous: bytes | None = None
) -> str:
    """The token of a new session, never one that a browser brought; ends the `previous` one."""
    if previous:
        delete_session(connection, previous)
    token = make_token()
    insert_session(connection, hash_token(token), user_id, now, now + SESSION_LIFETIME)
    return token


def insert_session(
    connection: Connection, hashed: bytes, user_id: int, now: int, expires_at: int
) -> None:
    connection.execute(
        """/* sessions.insert */ insert into sessions
            (hash, user_id, created_at, seen_at, expires_at)
        values (:hash, :user_id, :now, :now, :expires_at)""",
        {"hash": hashed, "user_id": user_id, "now": now, "expires_at": expires_at},
    )


def find_session_user(connection: Connection, hashed: bytes, now: int) -> User | None:
    """Who is signed in with this session, if it is valid at `now`."""
    row = connection.execute(
        """/* sessions.find_user */ select u.id, u.name, u.role, u.created_at
        from sessions s join users u on u.id = s.user_id
        where s.hash = :hash and s.expires_at > :now""",
        {"hash": hashed, "now": now},
    ).fetchone()
    return None if row is None else to_user(connection, row)


def delete_session(connection: Connection, hashed: bytes) -> None:
    connection.execute(
        "/* sessions.delete */ delete from sessions where hash = :hash", {"hash": hashed}
    )


def delete_expired_sessions(connection: Connection, now: int) -> None:
    """Forgets the sessions that are over."""
    connection.execute(
        "/* sessions.delete_expired */ delete from sessions where expires_at <= :now", {"now": now}
    )
