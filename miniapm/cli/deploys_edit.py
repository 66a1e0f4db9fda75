"""`miniapm deploys edit`, `delete` and `restore`."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from miniapm.cli.arguments import read_id
from miniapm.cli.audit import make_act
from miniapm.cli.deploys_show import DeployId, find_everything, to_words
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    find_address,
    find_database,
    load_settings,
)
from miniapm.cli.output import print_json, tell
from miniapm.domain.deploys.corrections import OVERRULED
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys import change
from miniapm.storage.deploys.find import get_owner
from miniapm.storage.once import write_once


def edit_deploy(
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
    failed: Annotated[
        bool, typer.Option("--failed", help="It went live and failed, whatever the rules say.")
    ] = False,
    ok: Annotated[
        bool, typer.Option("--ok", help="It went live and was fine, whatever the rules say.")
    ] = False,
    not_overruled: Annotated[
        bool, typer.Option("--not-overruled", help="Let the rules say again whether it failed.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Link to the run or the change.")] = None,
    repository: Annotated[str | None, typer.Option(help="Address of the repository.")] = None,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Correct a deploy; what depends on it follows. An empty text empties a field.

    --failed and --ok overrule what the delivery metrics count as a failure; --status is for one
    that did not go live, or did after all.

    Every correction is kept, with what was there before: `miniapm deploys show` lists them.

    Example: miniapm deploys edit 473829104756293632 --failed --description ""
    """
    if failed + ok + not_overruled > 1:
        raise typer.BadParameter("say only one of --failed, --ok and --not-overruled")
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
        "status": status,
        "url": url,
        "repository": repository,
    }
    given = {name: value for name, value in values.items() if value is not None}
    if failed or ok or not_overruled:
        given[OVERRULED] = None if not_overruled else "failed" if failed else "ok"
    if not given:
        raise typer.BadParameter("say what to change, such as --failed or --version v1.2.0")
    if not any(part.strip() for part in given.get("tags", ["-"])):
        given["tags"] = ""

    settings = load_settings(db, config).config
    address = find_address(settings)

    def store(connection: Connection, found: int) -> tuple[change.Changed, dict[str, Any]]:
        owner = get_owner(connection, found)
        changed = change.edit_deploy(connection, make_act(), owner.id, found, given)
        return changed, find_everything(connection, found, address)

    changed, fields = write_once(settings.database_path, store, read_id("deploys", deploy_id))
    if as_json:
        print_json(fields)
    elif changed.change_id is None:
        tell(f"The deploy {deploy_id} was like that already.")
    else:
        tell(f"The deploy {deploy_id} is corrected: {to_words(fields['changes'][0])['what']}.")


def delete_deploy(
    deploy_id: DeployId, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """Hide a deploy from lists and numbers. `miniapm deploys restore` brings it back."""
    found = read_id("deploys", deploy_id)
    changed = write_once(find_database(db, config), _apply, change.hide_deploy, found)
    state = "was hidden already" if changed.change_id is None else "is hidden"
    tell(f"The deploy {found} {state}. To bring it back: miniapm deploys restore {found}")


def restore_deploy(
    deploy_id: DeployId, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """Bring back a deploy that was hidden."""
    found = read_id("deploys", deploy_id)
    changed = write_once(find_database(db, config), _apply, change.restore_deploy, found)
    tell(f"The deploy {found} {'was not hidden' if changed.change_id is None else 'is back'}.")


def _apply(
    connection: Connection,
    action: Callable[[Connection, Act, int, int], change.Changed],
    deploy_id: int,
) -> change.Changed:
    return action(connection, make_act(), get_owner(connection, deploy_id).id, deploy_id)
