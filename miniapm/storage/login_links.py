"""Sign-in links: made, looked at and used up.

Each change is one write, so that of two at the same moment one wins and the other learns it.
Tokens come in hashed, since libraries below log their arguments, and go out as they are.
"""

from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.tokens import hash_token, make_token
from miniapm.domain.users import User
from miniapm.exceptions import Forbidden
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.sessions import begin_session
from miniapm.storage.users import count_users, get_user_by_id, insert_user

LINK_LIFETIME = 15 * MINUTE


class VoidLink(Forbidden):
    """A sign-in link that is used, too old or unknown; which of them is not told."""

    def __init__(self) -> None:
        super().__init__(
            "This sign-in link is not valid: each works once, within 15 minutes. "
            "`miniapm login-link` on the server prints a new one."
        )


class Link(NamedTuple):
    """A valid sign-in link: for `user`, or for None to make the first admin."""

    user: User | None


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


def insert_login_link(
    connection: Connection, hashed: bytes, user_id: int | None, now: int, expires_at: int
) -> None:
    """A link that signs in `user_id`, or for None makes the first admin."""
    connection.execute(
        """/* login_links.insert */ insert into login_links (hash, user_id, created_at, expires_at)
        values (:hash, :user_id, :now, :expires_at)""",
        {"hash": hashed, "user_id": user_id, "now": now, "expires_at": expires_at},
    )


def find_login_link(connection: Connection, hashed: bytes, now: int) -> tuple[int | None] | None:
    """(user id or None for the first admin), or None when the link is void at `now`.

    A link for the first admin is void once a user exists.
    """
    row = connection.execute(
        """/* login_links.find */ select user_id from login_links
        where hash = :hash and expires_at > :now""",
        {"hash": hashed, "now": now},
    ).fetchone()
    if row is None or (row["user_id"] is None and count_users(connection)):
        return None
    return (row["user_id"],)


def delete_login_link(connection: Connection, hashed: bytes) -> None:
    """Uses the link up."""
    connection.execute(
        "/* login_links.delete */ delete from login_links where hash = :hash", {"hash": hashed}
    )


def delete_expired_links(connection: Connection, now: int) -> None:
    """Forgets the links that nobody used in time."""
    connection.execute(
        "/* login_links.delete_expired */ delete from login_links where expires_at <= :now",
        {"now": now},
    )
