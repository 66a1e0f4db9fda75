"""`miniapm users`: the people who sign in."""

from typing import Annotated

import typer

from miniapm.cli.audit import make_act
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    YesOption,
    bad_flag,
    find_database,
    make_group,
)
from miniapm.cli.output import print_rows, tell
from miniapm.cli.prompts import ask_password, confirm
from miniapm.domain.names import clean_name
from miniapm.domain.users import Role, User, check_password
from miniapm.storage.connection import Connection
from miniapm.storage.once import read_once, write_once
from miniapm.storage.passwords import hash_password
from miniapm.storage.projects import find_projects
from miniapm.storage.users import (
    create_user,
    find_users,
    get_user,
    is_last_admin,
    remove_user,
    replace_password,
)

users = make_group("users", "Make, list and delete the people who sign in.")
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="What the person signs in as; spaces are fine.")
]


@users.command()
def create(
    name: Name,
    role: Annotated[
        Role,
        typer.Option(
            help="admin may do everything; member reads and corrects in its projects; viewer reads."
        ),
    ] = "admin",
    project: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SLUG",
            help="A project of a member or viewer, at least one; may be repeated.",
        ),
    ] = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a user, with a password.

    The password comes from a prompt, or from stdin where there is no terminal: one line.

    Example: miniapm users create ann

    Example: miniapm users create bob --role member --project web-shop <password.txt
    """
    name = clean_name(name, "user")
    slugs = tuple(project or ())
    if role != "admin" and not slugs:
        raise bad_flag("--project", f"a {role} needs at least one")
    if role == "admin" and slugs:
        raise bad_flag("--project", "an admin has every project; give --role member or viewer")
    path = find_database(db, config)
    read_once(path, find_users)  # whether there is a database, before anybody types a password
    hashed = hash_password(check_password(ask_password(name)))
    write_once(path, create_user, make_act(), name, role, slugs, hashed)
    tell(f"{name} can sign in now, as {role}.")


@users.command("list")
def list_users(
    as_json: JsonOption = False, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """List the users, with their role and projects.

    Example: miniapm users list --json
    """
    print_rows(
        read_once(find_database(db, config), _find_rows),
        {
            "name": "NAME",
            "role": "ROLE",
            "projects": "PROJECTS",
            "created_at": "CREATED",
            "id": "ID",
        },
        as_json=as_json,
        empty="There is no user yet; `miniapm login-link` opens the page that makes the first.",
    )


@users.command()
def passwd(name: Name, db: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Set a user's password, from a prompt or stdin.

    Every session and open sign-in link of that user ends.

    Example: miniapm users passwd ann
    """
    path = find_database(db, config)
    user = read_once(path, get_user, name)
    hashed = hash_password(check_password(ask_password(user.name)))
    write_once(path, replace_password, make_act(), user.name, hashed)
    tell(f"{user.name} has a new password; every session of {user.name} is over.")


@users.command()
def delete(
    name: Name, yes: YesOption = False, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """Delete a user; their sessions end at once.

    Asks before the last admin goes; in scripts, --yes agrees. What the user did stays in the audit
    trail.

    Example: miniapm users delete bob
    """
    path = find_database(db, config)
    is_last = read_once(path, is_last_admin, name)
    if is_last:
        confirm(f"{name} is the last admin. Delete {name} all the same?", yes=yes)
    write_once(path, remove_user, make_act(), name, may_be_last=is_last)
    tell(f"{name} is deleted.")


def _find_rows(connection: Connection) -> list[dict[str, object]]:
    slugs = {project.id: project.slug for project in find_projects(connection)}
    return [_to_row(user, slugs) for user in find_users(connection)]


def _to_row(user: User, slugs: dict[int, str]) -> dict[str, object]:
    everything = user.role == "admin"
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "projects": "all" if everything else sorted(slugs[i] for i in user.project_ids),
        "created_at": user.created_at,
    }
