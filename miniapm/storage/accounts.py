"""What the command line changes about people; each is one write and stands in the audit trail."""

from miniapm.domain.users import Role, User
from miniapm.exceptions import Conflict
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.projects import get_project
from miniapm.storage.users import (
    delete_user,
    find_users,
    get_user,
    insert_user,
    update_password,
)


def create_user(
    connection: Connection,
    act: Act,
    name: str,
    role: Role,
    project_slugs: tuple[str, ...],
    password_hash: str,
) -> User:
    """A new user. Conflict when the name is taken, NotFound for a project that is not there."""
    projects = [get_project(connection, slug) for slug in project_slugs]
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
