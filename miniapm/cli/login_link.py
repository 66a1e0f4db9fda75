"""`miniapm login-link`: a way in without a password."""

from typing import Annotated

import typer

from miniapm.cli.audit import make_act
from miniapm.cli.options import ConfigOption, DatabaseOption, find_address, load_settings
from miniapm.cli.output import tell
from miniapm.domain.users import User
from miniapm.exceptions import Invalid
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.login_links import make_login_link
from miniapm.storage.once import write_once
from miniapm.storage.users import find_users, get_user


def login_link(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Who signs in.  [default: the only user]"),
    ] = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Print a link that signs a user in, once.

    It is valid for 15 minutes. While there is no user, it opens the page that makes the first
    admin. Its address is the setting server.public_url, else where the server of this database
    listens; while none runs, server.host and server.port.

    Example: miniapm login-link ann
    """
    settings = load_settings(db, config).config
    user, token = write_once(settings.database_path, _make_link, make_act(), name)
    print(f"{find_address(settings)}/login?token={token}")
    who = f"signs {user.name} in" if user else "opens the page that makes the first admin"
    tell(f"It {who}, once, within 15 minutes.")


def _make_link(connection: Connection, act: Act, name: str | None) -> tuple[User | None, str]:
    user = _choose_user(connection, name)
    token = make_login_link(connection, act, user.id if user else None)
    note(connection, act, None, "login_link.create", user.name if user else "first admin")
    return user, token


def _choose_user(connection: Connection, name: str | None) -> User | None:
    if name is not None:
        return get_user(connection, name)
    found = find_users(connection)
    if len(found) > 1:
        raise Invalid(f"Name the user; there are: {', '.join(user.name for user in found)}.")
    return found[0] if found else None
