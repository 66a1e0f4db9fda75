"""`miniapm deploys`: what was recorded, looked at and corrected."""

from typing import Annotated, Any

import typer

from miniapm import clock
from miniapm.cli.act import make_act
from miniapm.cli.deploys_export import export_deploys
from miniapm.cli.deploys_import import import_deploys
from miniapm.cli.moments import parse_moment
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    find_database,
    load_settings,
    make_group,
)
from miniapm.cli.output import print_fields, print_json, print_rows, tell
from miniapm.domain.deploys.told import to_changed_fields, to_commit_fields, to_json_fields
from miniapm.domain.ids import parse_id
from miniapm.storage.connection import Connection, read_once, write_once
from miniapm.storage.deploys.change import (
    Change,
    Changed,
    edit_deploy,
    find_changes,
    hide_deploy,
    restore_deploy,
)
from miniapm.storage.deploys.find import DeployFilter
from miniapm.storage.deploys.shown import ShownDeploy, find_shown, get_owner, get_shown
from miniapm.storage.projects import choose_project

deploys = make_group("deploys", "List, show, correct, hide, import and export deploys.")
DeployId = Annotated[str, typer.Argument(metavar="ID", help="As `miniapm deploys list` shows it.")]


@deploys.command("list")
def list_deploys(
    project: Annotated[
        str | None,
        typer.Option(metavar="SLUG", help="Of this one.", show_default="the only one, or default"),
    ] = None,
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

    miniapm deploys list --env production --since 7d
    """
    if status is not None and status not in _STATUSES:
        raise typer.BadParameter(f"is one of {', '.join(_STATUSES)}", None, None, "--status")
    settings = load_settings(db, config).config
    now = clock.now()
    wanted = DeployFilter(
        env=env,
        service=service,
        status=status,
        tag=tag,
        query=query or None,
        since=parse_moment("--since", since, now),
        until=parse_moment("--until", until, now),
        hidden=hidden,
    )

    def find(connection: Connection) -> tuple[list[dict[str, Any]], bool]:
        chosen = choose_project(connection, project)
        page = find_shown(connection, chosen.id, wanted, limit)
        rows = [_to_fields(shown, chosen.slug, settings.address) for shown in page.deploys]
        return rows, page.after is not None

    rows, has_more = read_once(settings.database_path, find)
    print_rows(
        rows,
        _COLUMNS,
        as_json=as_json,
        empty="No deploy matches. `miniapm doctor` says why one may be missing.",
    )
    if has_more:
        tell(f"There are more than these {limit}; --limit shows them, --until goes back in time.")


@deploys.command()
def show(
    deploy_id: DeployId,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one deploy: fields, kind, commits and corrections."""
    settings = load_settings(db, config).config
    fields = read_once(
        settings.database_path, _find_everything, _parse_deploy_id(deploy_id), settings.address
    )
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
        print_rows([_to_words(change) for change in changes], _CHANGE_COLUMNS, as_json=False)


@deploys.command()
def edit(
    deploy_id: DeployId,
    git_sha: Annotated[str | None, typer.Option("--sha", help="The commit.")] = None,
    version: Annotated[str | None, typer.Option(help="Tag or number of the release.")] = None,
    env: Annotated[str | None, typer.Option(help="Where it went.")] = None,
    service: Annotated[str | None, typer.Option(help="Which part of the project.")] = None,
    deployer: Annotated[str | None, typer.Option(help="Who or what deployed.")] = None,
    title: Annotated[str | None, typer.Option(help="One line for people.")] = None,
    description: Annotated[str | None, typer.Option(help="More for people.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A label; may be repeated. Replaces all there were.")
    ] = None,
    timestamp: Annotated[str | None, typer.Option(help="When it ended.")] = None,
    started_at: Annotated[str | None, typer.Option(help="When it began.")] = None,
    status: Annotated[
        str | None, typer.Option(help="started, succeeded, failed or cancelled.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="It failed after all.")] = False,
    ok: Annotated[bool, typer.Option("--ok", help="It succeeded after all.")] = False,
    url: Annotated[str | None, typer.Option(help="Link to the run or the change.")] = None,
    repository: Annotated[str | None, typer.Option(help="Address of the repository.")] = None,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Correct a deploy; what depends on it follows. An empty text empties a field.

    Every correction is kept, with what was there before: `miniapm deploys show` lists them.

    miniapm deploys edit 473829104756293632 --failed --description ""
    """
    overruled = ["failed"] * failed + ["succeeded"] * ok + [status] * (status is not None)
    if len(overruled) > 1:
        raise typer.BadParameter("say only one of --status, --failed and --ok")
    values: dict[str, Any] = {
        "git_sha": git_sha,
        "version": version,
        "env": env,
        "service": service,
        "deployer": deployer,
        "title": title,
        "description": description,
        "tags": tag or None,
        "timestamp": timestamp,
        "started_at": started_at,
        "status": overruled[0] if overruled else None,
        "url": url,
        "repository": repository,
    }
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        raise typer.BadParameter("say what to change, such as --failed or --version v1.2.0")
    if not any(part.strip() for part in given.get("tags", ["-"])):
        given["tags"] = ""

    def change(connection: Connection, found: int) -> tuple[Changed, dict[str, Any]]:
        owner = get_owner(connection, found)
        changed = edit_deploy(connection, make_act(), owner.id, found, given)
        return changed, _find_everything(connection, found, settings.address)

    settings = load_settings(db, config).config
    changed, fields = write_once(settings.database_path, change, _parse_deploy_id(deploy_id))
    if as_json:
        print_json(fields)
    elif changed.change_id is None:
        tell(f"The deploy {deploy_id} was like that already.")
    else:
        tell(f"The deploy {deploy_id} is corrected: {_to_words(fields['changes'][0])['what']}.")


@deploys.command()
def delete(deploy_id: DeployId, db: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Hide a deploy from lists and numbers. `miniapm deploys restore` brings it back."""
    found = _parse_deploy_id(deploy_id)
    changed = write_once(
        find_database(db, config),
        lambda connection: hide_deploy(
            connection, make_act(), get_owner(connection, found).id, found
        ),
    )
    state = "was hidden already" if changed.change_id is None else "is hidden"
    tell(f"The deploy {found} {state}. To bring it back: miniapm deploys restore {found}")


@deploys.command()
def restore(deploy_id: DeployId, db: DatabaseOption = None, config: ConfigOption = None) -> None:
    """Bring back a deploy that was hidden."""
    found = _parse_deploy_id(deploy_id)
    changed = write_once(
        find_database(db, config),
        lambda connection: restore_deploy(
            connection, make_act(), get_owner(connection, found).id, found
        ),
    )
    tell(f"The deploy {found} {'was not hidden' if changed.change_id is None else 'is back'}.")


deploys.command("import")(import_deploys)
deploys.command("export")(export_deploys)

_STATUSES = ("started", "succeeded", "failed", "cancelled", "timed_out")
_COLUMNS = {
    "id": "ID",
    "timestamp": "TIME",
    "env": "ENV",
    "service": "SERVICE",
    "status": "STATUS",
    "kind": "KIND",
    "version": "VERSION",
    "git_sha": "SHA",
    "deployer": "DEPLOYER",
    "title": "TITLE",
}
_COMMIT_COLUMNS = {"sha": "SHA", "timestamp": "TIME", "author": "AUTHOR", "message": "MESSAGE"}
_CHANGE_COLUMNS = {"changed_at": "TIME", "actor": "BY", "what": "WHAT"}


def _to_fields(shown: ShownDeploy, project_slug: str, address: str) -> dict[str, Any]:
    deploy, kind, previous_id = shown.told
    return to_json_fields(deploy, kind, previous_id, shown.title, project_slug, address)


def _find_everything(connection: Connection, deploy_id: int, address: str) -> dict[str, Any]:
    owner = get_owner(connection, deploy_id)
    found = get_shown(connection, owner.id, deploy_id)
    return {
        **_to_fields(found.shown, owner.slug, address),
        "commits": [to_commit_fields(commit) for commit in found.commits],
        "changes": [_to_change(c) for c in find_changes(connection, owner.id, deploy_id)],
    }


def _to_change(change: Change) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "actor": change.actor,
        "changed_at": clock.to_rfc3339(change.changed_at),
        "before": to_changed_fields(change.before),
        "after": to_changed_fields(change.after),
    }


def _to_words(change: dict[str, Any]) -> dict[str, Any]:
    before, after = change["before"], change["after"]
    what = ", ".join(f"{name} {_word(before.get(name))} -> {_word(after[name])}" for name in after)
    return {**change, "what": what}


def _word(value: Any) -> str:
    return ("+".join(value) if isinstance(value, list) else str(value or "")) or "(empty)"


def _parse_deploy_id(text: str) -> int:
    found = parse_id(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no id; `miniapm deploys list` shows them", None, None, "ID"
        )
    return found
