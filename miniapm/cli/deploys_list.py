"""`miniapm deploys list`."""

import sys
from typing import Annotated, Any

import typer

from miniapm import clock
from miniapm.cli.arguments import read_instant
from miniapm.cli.deploys_verdict import tell_its_verdict
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ProjectOption,
    bad_flag,
    find_address,
    load_settings,
)
from miniapm.cli.output import print_rows, tell
from miniapm.domain.deploys.shown import to_json_fields
from miniapm.domain.deploys.values import STATUSES
from miniapm.domain.impact.unjudged import find_judged_since
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import DeployFilter
from miniapm.storage.deploys.shown import find_shown
from miniapm.storage.once import read_once
from miniapm.storage.projects import choose_project

_COLUMNS = {
    "id": "ID",
    "timestamp": "TIME",
    "env": "ENV",
    "service": "SERVICE",
    "status": "STATUS",
    "kind": "KIND",
    "verdict": "VERDICT",
    "version": "VERSION",
    "git_sha": "SHA",
    "deployer": "DEPLOYER",
    "title": "TITLE",
}


def list_deploys(
    project: ProjectOption = None,
    env: Annotated[str | None, typer.Option(help="In this environment.")] = None,
    service: Annotated[str | None, typer.Option(help="Of this service.")] = None,
    status: Annotated[
        str | None, typer.Option(help="started, succeeded, failed, cancelled or timed_out.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="With this tag.")] = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query", "-q", help="Text in sha, version, deployer, title, description or tags."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 2024-01-15, or 7d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    hidden: Annotated[bool, typer.Option("--hidden", help="The hidden ones instead.")] = False,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List deploys, newest first.

    On a terminal, long texts are cut to its width and columns without any value are left out; a
    pipe and --json get everything.

    Example: miniapm deploys list --env production --since 7d
    """
    if status is not None and status not in STATUSES:
        raise bad_flag("--status", f"is one of {', '.join(STATUSES)}")
    settings = load_settings(db, config).config
    address = find_address(settings)
    now = clock.now()
    wanted = DeployFilter(
        env=env,
        service=service,
        status=status,
        tag=tag,
        query=query or None,
        since=read_instant("--since", since, now),
        until=read_instant("--until", until, now),
        hidden=hidden,
    )

    def find(connection: Connection) -> tuple[list[dict[str, Any]], bool]:
        chosen = choose_project(connection, project)
        page = find_shown(connection, chosen.id, wanted, limit)
        rows = [to_json_fields(shown, chosen.slug, address) for shown in page.deploys]
        if not as_json:
            judged_since = find_judged_since(settings.lifetimes, now)
            for row, shown in zip(rows, page.deploys, strict=True):
                row["verdict"] = tell_its_verdict(shown, judged_since)
        return rows, page.after is not None

    rows, has_more = read_once(settings.database_path, find)
    columns = _COLUMNS
    if sys.stdout.isatty() and not as_json:
        rows = [_shorten(row) for row in rows]
        columns = {n: title for n, title in columns.items() if any(row[n] for row in rows)}
    print_rows(
        rows,
        columns,
        as_json=as_json,
        may_cut=("env", "service", "version", "deployer", "title"),
        empty="No deploy matches. `miniapm doctor` says why one may be missing.",
    )
    if has_more:
        these = "this one" if limit == 1 else f"these {limit}"
        tell(f"There are more than {these}; --limit shows them, --until goes back in time.")


def _shorten(row: dict[str, Any]) -> dict[str, Any]:
    """For a person: the sha as git shortens it, the time to the second."""
    to_the_second = row["timestamp"].removesuffix("Z").partition(".")[0] + "Z"
    return {**row, "git_sha": row["git_sha"][:12], "timestamp": to_the_second}
