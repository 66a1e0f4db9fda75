"""The SQL of people: users, their projects, sessions and sign-in links."""

from collections.abc import Iterable

from miniapm.domain.users import User
from miniapm.exceptions import Conflict, NotFound
from miniapm.storage.connection import Connection, Row, scalar


def _to_user(connection: Connection, row: Row) -> User:
    memberships = connection.execute(
        "/* users.find_memberships */ select project_id from memberships where user_id = :id",
        {"id": row["id"]},
    )
    return User(
        row["id"],
        row["name"],
        row["role"],
        row["created_at"],
        frozenset(m["project_id"] for m in memberships),
    )


def insert_user(connection: Connection, user: User, password_hash: str) -> None:
    """Conflict when the name is taken."""
    done = connection.execute(
        """/* users.insert */ insert into users (id, name, password_hash, role, created_at)
        values (:id, :name, :password_hash, :role, :created_at)
        on conflict (name) do nothing""",
        {
            "id": user.id,
            "name": user.name,
            "password_hash": password_hash,
            "role": user.role,
            "created_at": user.created_at,
        },
    )
    if done.rowcount == 0:
        raise Conflict(f"There is a user {user.name} already.")
    _insert_memberships(connection, user.id, user.project_ids)


def _insert_memberships(connection: Connection, user_id: int, project_ids: Iterable[int]) -> None:
    connection.executemany(
        """/* users.insert_membership */ insert into memberships (user_id, project_id)
        values (:user_id, :project_id)""",
        [{"user_id": user_id, "project_id": project_id} for project_id in sorted(project_ids)],
    )


def count_users(connection: Connection) -> int:
    return int(scalar(connection, "/* users.count */ select count(*) from users"))


def find_users(connection: Connection) -> list[User]:
    """All users by name."""
    rows = connection.execute(
        "/* users.find */ select id, name, role, created_at from users order by name"
    ).fetchall()
    return [_to_user(connection, row) for row in rows]


def get_user(connection: Connection, name: str) -> User:
    row = connection.execute(
        "/* users.get */ select id, name, role, created_at from users where name = :name",
        {"name": name},
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no user {name}.")
    return _to_user(connection, row)


def get_user_by_id(connection: Connection, user_id: int) -> User:
    row = connection.execute(
        "/* users.get_by_id */ select id, name, role, created_at from users where id = :id",
        {"id": user_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such user.")
    return _to_user(connection, row)


def find_password_hash(connection: Connection, name: str) -> str | None:
    found = scalar(
        connection,
        "/* users.find_password_hash */ select password_hash from users where name = :name",
        name=name,
    )
    return None if found is None else str(found)


def update_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Sets the password and ends every session and open link of the user."""
    connection.execute(
        "/* users.update_password */ update users set password_hash = :hash where id = :id",
        {"hash": password_hash, "id": user_id},
    )
    delete_sessions(connection, user_id)
    connection.execute(
        "/* users.delete_links */ delete from login_links where user_id = :id", {"id": user_id}
    )


def delete_user(connection: Connection, user_id: int) -> None:
    """Sessions, links and memberships go with the user."""
    connection.execute("/* users.delete */ delete from users where id = :id", {"id": user_id})


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
    return None if row is None else _to_user(connection, row)


def delete_session(connection: Connection, hashed: bytes) -> None:
    connection.execute(
        "/* sessions.delete */ delete from sessions where hash = :hash", {"hash": hashed}
    )


def delete_sessions(connection: Connection, user_id: int) -> None:
    connection.execute(
        "/* sessions.delete_all */ delete from sessions where user_id = :id", {"id": user_id}
    )


def delete_expired(connection: Connection, now: int) -> None:
    """Forgets sessions and sign-in links that are over."""
    connection.execute(
        "/* sessions.delete_expired */ delete from sessions where expires_at <= :now", {"now": now}
    )
    connection.execute(
        "/* login_links.delete_expired */ delete from login_links where expires_at <= :now",
        {"now": now},
    )


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


def delete_login_link(connection: Connection, hashed: bytes) -> bool:
    """Uses the link up; whether it was there."""
    done = connection.execute(
        "/* login_links.delete */ delete from login_links where hash = :hash", {"hash": hashed}
    )
    return done.rowcount > 0
