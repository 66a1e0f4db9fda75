"""`miniapm deploys show`."""

from typing import Annotated, Any

import typer

from miniapm import clock
from miniapm.cli.arguments import read_id
from miniapm.cli.deploys_verdict import tell_its_verdict
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    find_address,
    load_settings,
)
from miniapm.cli.output import print_fields, print_json, print_rows
from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.shown import to_changed_fields, to_commit_fields, to_json_fields
from miniapm.domain.impact.unjudged import find_judged_since
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import Change, find_changes
from miniapm.storage.deploys.find import get_owner
from miniapm.storage.deploys.shown import get_shown
from miniapm.storage.once import read_once

DeployId = Annotated[str, typer.Argument(metavar="ID", help="As `miniapm deploys list` shows it.")]
_COMMIT_COLUMNS = {"sha": "SHA", "timestamp": "TIME", "author": "AUTHOR", "message": "MESSAGE"}
_CHANGE_COLUMNS = {"changed_at": "TIME", "actor": "BY", "what": "WHAT"}


def show_deploy(
    deploy_id: DeployId,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one deploy: fields, kind, commits and corrections."""
    settings = load_settings(db, config).config
    found, address = read_id("deploys", deploy_id), find_address(settings)
    judged_since = None if as_json else find_judged_since(settings.lifetimes, clock.now())
    fields = read_once(settings.database_path, find_everything, found, address, judged_since)
    if as_json:
        print_json(fields)
        return
    commits, changes = fields.pop("commits"), fields.pop("changes")
    print_fields(fields, as_json=False)
    if commits:
        print("\nCommits")
        print_rows(commits, _COMMIT_COLUMNS, as_json=False)
    if changes:
        print("\nCorrections")
        print_rows([to_words(change) for change in changes], _CHANGE_COLUMNS, as_json=False)


def find_everything(
    connection: Connection, deploy_id: int, address: str, judged_since: int | None = None
) -> dict[str, Any]:
    """The deploy with its commits and corrections, as --json prints it; with `judged_since` (µs),
    for people: its verdict in words."""
    owner = get_owner(connection, deploy_id)
    found = get_shown(connection, owner.id, deploy_id)
    told = {} if judged_since is None else {"verdict": tell_its_verdict(found.shown, judged_since)}
    return {
        **to_json_fields(found.shown, owner.slug, address),
        **told,
        "commits": [to_commit_fields(commit) for commit in found.commits],
        "changes": [_to_change(c) for c in find_changes(connection, owner.id, deploy_id)],
    }


def _to_change(change: Change) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "actor": change.actor,
        "changed_at": to_rfc3339(change.changed_at),
        "before": to_changed_fields(change.before),
        "after": to_changed_fields(change.after),
    }


def to_words(change: dict[str, Any]) -> dict[str, Any]:
    """`change` with `what`: every field before and after, in a line."""
    before, after = change["before"], change["after"]
    what = ", ".join(f"{name} {_word(before.get(name))} -> {_word(after[name])}" for name in after)
    return {**change, "what": what}


def _word(value: Any) -> str:
    return ("+".join(value) if isinstance(value, list) else str(value or "")) or "(empty)"
