"""`miniapm receivers`: addresses for senders with webhooks of their own."""

from textwrap import indent
from typing import Annotated

import typer

from miniapm import clock
from miniapm.cli.arguments import read_id
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
from miniapm.domain.receivers.commands import ADDRESS, SECRET, list_commands
from miniapm.domain.receivers.setup import tell_setup
from miniapm.domain.receivers.values import KINDS, Receiver, ReceiverTerms, check_terms
from miniapm.storage.connection import Connection
from miniapm.storage.once import read_once, write_once
from miniapm.storage.projects import choose_project
from miniapm.storage.receivers.latest import Latest, find_latest
from miniapm.storage.receivers.receivers import (
    IssuedReceiver,
    create_receiver,
    find_receivers,
    revoke_receiver,
)

receivers = make_group("receivers", "Take deploys from senders with webhooks of their own.")
ReceiverId = Annotated[
    str, typer.Argument(metavar="ID", help="As `miniapm receivers list` shows it.")
]


@receivers.command()
def create(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{', '.join(KINDS)}.")],
    project: ItsProjectOption = None,
    env: Annotated[
        str | None,
        typer.Option(help="The environment of deploys that name none.  [default: production]"),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            help="The service of all its deploys.  [default: what the sender names, else the "
            "project's slug]"
        ),
    ] = None,
    workflow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="github: each run of this workflow is a deploy; its name or file; may be repeated."
            "  [default: deployments count]",
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(
            help="github, gitlab: only what is of this branch; for pushes, the repository's "
            "default one unless given."
        ),
    ] = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make an address for a sender's webhook, and print it.

    It cannot be seen again. Where the sender can sign, a second line has the secret. Only both go
    to stdout, so that a script can take them; who has the address of a sender that cannot sign may
    send.

    Example: miniapm receivers create github --workflow deploy.yml
    """
    settings = load_settings(db, config).config
    act = make_act()
    terms = check_terms(
        kind, env=env, service=service, workflows=tuple(workflow or ()), branch=branch
    )
    issued = write_once(
        settings.database_path,
        lambda connection: create_receiver(
            connection, act, choose_project(connection, project), terms
        ),
    )
    _print_issued(issued, find_address(settings), terms)


def _print_issued(issued: IssuedReceiver, address: str, terms: ReceiverTerms) -> None:
    receiver = issued.receiver
    print(f"{address}{issued.path}", flush=True)
    if receiver.secret:
        print(receiver.secret, flush=True)
    told = (
        f"The first line is its {ADDRESS}, the second its {SECRET}: neither is"
        if receiver.secret
        else f"This is its {ADDRESS}: it is not"
    )
    tell(f"The receiver {receiver.id} of the project {receiver.project_slug} takes deploys from")
    tell(f"{receiver.kind}. {told} shown again.")
    for step in tell_setup(receiver.kind):
        tell(f"  {step}")
    for command in list_commands(terms):
        tell(f"\n{command.words}\n{indent(command.text, '  ')}")


@receivers.command("list")
def list_receivers(
    project: OnlyProjectOption = None,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the receivers, and what came to them last.

    An address itself is never shown again: its first characters stand under ADDRESS.

    Example: miniapm receivers list --project web-shop
    """
    rows = read_once(find_database(db, config), _find_rows, project, clock.now())
    print_rows(
        rows,
        {
            "id": "ID",
            "project": "PROJECT",
            "kind": "KIND",
            "address": "ADDRESS",
            "env": "ENV",
            "service": "SERVICE",
            "workflows": "WORKFLOWS",
            "branch": "BRANCH",
            "state": "STATE",
            "last_delivery_at": "LAST DELIVERY",
            "outcome": "OUTCOME",
        },
        as_json=as_json,
        empty="There is no receiver yet; `miniapm receivers create KIND` makes one.",
        may_cut=("outcome",),
    )


@receivers.command()
def revoke(receiver_id: ReceiverId, db: DatabaseOption = None, config: ConfigOption = None) -> None:
    """End an address now; what was stored stays.

    Example: miniapm receivers revoke 473829104756293632
    """
    wanted = read_id("receivers", receiver_id)
    receiver = write_once(find_database(db, config), revoke_receiver, make_act(), wanted)
    tell(f"The receiver {receiver.id} of the project {receiver.project_slug} is revoked.")


def _find_rows(connection: Connection, project: str | None, now: int) -> list[dict[str, object]]:
    chosen = choose_project(connection, project).id if project else None
    receivers = find_receivers(connection, chosen)
    latest = find_latest(connection, receivers)
    return [_to_row(receiver, latest.get(receiver.id), now) for receiver in receivers]


def _to_row(receiver: Receiver, latest: Latest | None, now: int) -> dict[str, object]:
    is_over = receiver.revoked_at is not None and receiver.revoked_at <= now
    return {
        "id": receiver.id,
        "project": receiver.project_slug,
        "kind": receiver.kind,
        "address": receiver.shown_path,
        "env": receiver.env,
        "service": receiver.service,
        "workflows": list(receiver.workflows),
        "branch": receiver.branch,
        "state": "revoked" if is_over else "valid",
        "created_at": receiver.created_at,
        "revoked_at": receiver.revoked_at,
        # deliveries are forgotten after some weeks
        "last_delivery_at": latest.at if latest else receiver.last_used_at,
        "outcome": latest.outcome if latest else None,
        "deploy_id": latest.deploy_id if latest else None,
    }
