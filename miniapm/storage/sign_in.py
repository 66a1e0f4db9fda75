"""What sign-in changes: links made and used up, sessions begun, passwords replaced.

Each change is one write, so that of two at the same moment one wins and the other learns it.
Tokens come in hashed, since libraries below log their arguments, and go out as they are.
"""

from typing import NamedTuple

from miniapm.clock import DAY, MINUTE
from miniapm.domain.tokens import hash_token, make_token
from miniapm.domain.users import User
from miniapm.exceptions import Forbidden
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.users import (
    delete_login_link,
    delete_session,
    find_login_link,
    find_password_hash,
    get_user,
    get_user_by_id,
    insert_login_link,
    insert_session,
    insert_user,
    update_password,
)

LINK_LIFETIME = 15 * MINUTE
SESSION_LIFETIME = 30 * DAY


class VoidLink(Forbidden):
    """A sign-in link that is used, too old or unknown; which of them is not told."""

    def __init__(self) -> None:
        super().__init__(
            "This sign-in link is not valid: each works once, within 15 minutes. "
            "`miniapm login-link` on the server prints a new one."
        )


class WrongPassword(Forbidden):
    """The name or the password is wrong; which of them is not told."""

    def __init__(self) -> None:
        super().__init__("The name or the password is wrong.")


class Link(NamedTuple):
    """A valid sign-in link: for `user`, or for None to make the first admin."""

    user: User | None


class Credentials(NamedTuple):
    """A user and the hash that their password must match."""

    user: User
    password_hash: str


def make_login_link(connection: Connection, act: Act, user_id: int | None) -> str:
    """The token of a new single-use link for `/login?token=...`, valid for 15 minutes.

    None makes the first admin; such a link is void once a user exists.
    """
    token = make_token()
    insert_login_link(connection, hash_token(token), user_id, act.at, act.at + LINK_LIFETIME)
    return token


def get_link(connection: Connection, hashed: bytes, now: int) -> Link:
    """What a link is for, without using it up; VoidLink when it is void."""
    found = find_login_link(connection, hashed, now)
    if found is None:
        raise VoidLink
    [user_id] = found
    return Link(None if user_id is None else get_user_by_id(connection, user_id))


def use_link(connection: Connection, now: int, hashed: bytes, previous: bytes | None) -> str:
    """Uses up a user's link; the token of the new session. VoidLink when it is void."""
    link = get_link(connection, hashed, now)
    if link.user is None:
        raise VoidLink
    delete_login_link(connection, hashed)
    return begin_session(connection, link.user.id, now, previous)


def make_first_admin(
    connection: Connection, act: Act, hashed: bytes, user: User, password_hash: str
) -> str:
    """Uses up the link of the first admin and makes it; the token of its session.

    VoidLink when it is void: of two submits at once, the second.
    """
    if get_link(connection, hashed, act.at).user is not None:
        raise VoidLink
    delete_login_link(connection, hashed)
    insert_user(connection, user, password_hash)
    note(connection, act, None, "user.create", user.name, "first admin, by sign-in link")
    return begin_session(connection, user.id, act.at, None)


def begin_session(
    connection: Connection, user_id: int, now: int, previous: bytes | None = None
) -> str:
    """The token of a new session, never one that a browser brought; ends the `previous` one."""
    if previous:
        delete_session(connection, previous)
    token = make_token()
    insert_session(connection, hash_token(token), user_id, now, now + SESSION_LIFETIME)
    return token


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
