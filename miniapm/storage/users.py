"""The SQL of users and of the projects that they are given.

What the command line changes about them is one write each, and stands in the audit trail.
"""

from collections.abc import Iterable

from miniapm.domain.users import Role, User
from miniapm.exceptions import Conflict, NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.projects import get_known_project


def to_user(connection: Connection, row: Row) -> User:
    """`row` holds id, name, role and created_at."""
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
    return [to_user(connection, row) for row in rows]


def get_user(connection: Connection, name: str) -> User:
    row = connection.execute(
        "/* users.get */ select id, name, role, created_at from users where name = :name",
        {"name": name},
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no user {name}.")
    return to_user(connection, row)


def get_user_by_id(connection: Connection, user_id: int) -> User:
    row = connection.execute(
        "/* users.get_by_id */ select id, name, role, created_at from users where id = :id",
        {"id": user_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such user.")
    return to_user(connection, row)


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
    connection.execute(
        "/* users.delete_sessions */ delete from sessions where user_id = :id", {"id": user_id}
    )
    connection.execute(
        "/* users.delete_links */ delete from login_links where user_id = :id", {"id": user_id}
    )


def delete_user(connection: Connection, user_id: int) -> None:
    """Sessions, links and memberships go with the user."""
    connection.execute("/* users.delete */ delete from users where id = :id", {"id": user_id})


def create_user(
    connection: Connection,
    act: Act,
    name: str,
    role: Role,
    project_slugs: tuple[str, ...],
    password_hash: str,
) -> User:
    """A new user. Conflict when the name is taken, NotFound for a project that is not there."""
    projects = [get_known_project(connection, slug) for slug in project_slugs]
    user = User(act.make_id(), name, role, act.at, frozenset(p.id for p in projects))
    insert_user(connection, user, password_hash)
    note(connection, act, None, "user.create", name, " ".join((role, *project_slugs)))
    return user


def replace_password(connection: Connection, act: Act, name: str, password_hash: str) -> None:
    """Sets a password; every session and open link of the user ends."""
    update_password(connection, get_user(connection, name).id, password_hash)
    note(connection, act, None, "user.password", name)


def remove_user(connection: Connection, act: Act, name: str, *, may_be_last: bool) -> None:
    """Deletes a user with all sessions. Conflict for the last admin, unless that is meant."""
    user = get_user(connection, name)
    if not may_be_last and is_last_admin(connection, name):
        raise Conflict(f"{name} is the last admin; --yes deletes {name} all the same.")
    delete_user(connection, user.id)
    note(connection, act, None, "user.delete", name, user.role)


def is_last_admin(connection: Connection, name: str) -> bool:
    """Whether deleting this user leaves nobody who may do everything. NotFound: no such user."""
    user = get_user(connection, name)
    admins = [other for other in find_users(connection) if other.role == "admin"]
    return user.role == "admin" and len(admins) == 1
