"""`miniapm keys`: the secrets that senders prove themselves with."""

import sys
from typing import Annotated

import typer

from miniapm import clock
from miniapm.cli.arguments import read_duration, read_overlap
from miniapm.cli.audit import make_act
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    ItsProjectOption,
    JsonOption,
    OnlyProjectOption,
    find_address,
    find_database,
    load_settings,
    make_group,
)
from miniapm.cli.output import print_rows, tell
from miniapm.clock import to_rfc3339
from miniapm.domain.keys import DEFAULT_SCOPES, DEPLOYS_WRITE, SCOPES, Key
from miniapm.storage.connection import Connection
from miniapm.storage.keys import (
    IssuedKey,
    find_keys,
    get_named_key,
    issue_key,
    revoke_key,
    rotate_key,
)
from miniapm.storage.once import read_once, write_once
from miniapm.storage.projects import choose_project

keys = make_group("keys", "Make, list, revoke and rotate the keys of senders.")
NamedKey = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="As `miniapm keys list` shows it; or its name, if no other valid key has that.",
    ),
]


@keys.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it is for, such as github-actions.")
    ],
    project: ItsProjectOption = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help=f"What it may do; may be repeated: {', '.join(SCOPES)}.  "
            f"[default: {', '.join(DEFAULT_SCOPES)}]",
        ),
    ] = None,
    env: Annotated[
        str | None, typer.Option(help="The environment of payloads that name none.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="The service of payloads that name none.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Ends after this long, such as 90d.  [default: never]"
        ),
    ] = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key, and print it: the only time that it can be seen.

    Only the key goes to stdout, so that a script can take it.

    Example: export MINIAPM_API_KEY="$(miniapm keys create ci)"
    """
    settings = load_settings(db, config).config
    act = make_act()
    lifetime = None if expires is None else read_duration("--expires", expires)
    issued = write_once(
        settings.database_path,
        lambda connection: issue_key(
            connection,
            act,
            choose_project(connection, project),
            name,
            tuple(scope or DEFAULT_SCOPES),
            env=env,
            service=service,
            expires_at=None if lifetime is None else act.at + lifetime,
        ),
    )
    _print_issued(issued, find_address(settings))


@keys.command("list")
def list_keys(
    project: OnlyProjectOption = None,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the keys, what they may do and when they were last used.

    A key itself is never shown again: its first characters stand under KEY.

    Example: miniapm keys list --project web-shop
    """
    found = read_once(
        find_database(db, config),
        lambda connection: find_keys(
            connection, choose_project(connection, project).id if project else None
        ),
    )
    now = clock.now()
    print_rows(
        [_to_row(key, now) for key in found],
        {
            "id": "ID",
            "name": "NAME",
            "project": "PROJECT",
            "display": "KEY",
            "scopes": "SCOPES",
            "env": "ENV",
            "service": "SERVICE",
            "state": "STATE",
            "last_used_at": "LAST USED",
        },
        as_json=as_json,
        empty="There is no key yet; `miniapm keys create NAME` makes one.",
    )


@keys.command()
def revoke(named: NamedKey, db: DatabaseOption = None, config: ConfigOption = None) -> None:
    """End a key now; a running server refuses it within a second.

    Example: miniapm keys revoke web
    """
    act = make_act()

    def end(connection: Connection) -> Key:
        return revoke_key(connection, act, get_named_key(connection, named, act.at).id)

    key = write_once(find_database(db, config), end)
    tell(f"The key {key.name} ({key.id}) of the project {key.project_slug} is revoked.")


@keys.command()
def rotate(
    named: NamedKey,
    overlap: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the old key still works; 0: not.")
    ] = "24h",
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Replace a key by a new one, and print that.

    The new key has the name, scopes and defaults of the old one. Both work until the overlap is
    over, so that senders can be changed one by one. Only the new key goes to stdout.

    Example: miniapm keys rotate web --overlap 7d
    """
    settings = load_settings(db, config).config
    length = read_overlap(overlap)
    act = make_act()

    def replace(connection: Connection) -> tuple[Key, IssuedKey]:
        old = get_named_key(connection, named, act.at)
        return old, rotate_key(connection, act, old.id, length)

    old, issued = write_once(settings.database_path, replace)
    _print_issued(issued, find_address(settings))
    if length:
        tell(f"The old key ({old.id}) works until {to_rfc3339(act.at + length)}.")
    else:
        tell(f"The old key ({old.id}) no longer works.")


def _print_issued(issued: IssuedKey, address: str) -> None:
    key = issued.key
    ends = f", until {to_rfc3339(key.expires_at)}" if key.expires_at else ""
    print(issued.secret, flush=True)
    tell(f"The key {key.name} ({key.id}) may {', '.join(key.scopes)}")
    tell(f"in the project {key.project_slug}{ends}. It is not shown again.")
    places = {"env": key.env, "service": key.service}
    defaults = " and ".join(f"{name} {value}" for name, value in places.items() if value)
    if defaults:
        tell(f"It stands for {defaults} where a payload names none.")
    if DEPLOYS_WRITE in key.scopes:
        # a pipe takes the key from stdout: then stderr, which logs keep, must not have it
        shown = issued.secret if sys.stdout.isatty() else "$MINIAPM_API_KEY"
        tell("Record a deploy with it:")
        tell(
            f'  curl -i {address}/ingest/deploys -H "Authorization: Bearer {shown}" '
            """-d '{"git_sha": "abc1234", "version": "v1.0.0"}'"""
        )


def _to_row(key: Key, now: int) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "project": key.project_slug,
        "display": key.display,
        "scopes": list(key.scopes),
        "env": key.env,
        "service": key.service,
        "state": key.tell_state(now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
