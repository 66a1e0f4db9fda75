"""`miniapm webhooks`: who is told what happens."""

import asyncio
from typing import Annotated

import typer

from miniapm import clock
from miniapm.cli.arguments import read_id, read_overlap
from miniapm.cli.audit import make_act
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    ItsProjectOption,
    find_address,
    find_database,
    load_settings,
    make_group,
)
from miniapm.cli.output import tell
from miniapm.cli.webhooks_list import list_webhooks
from miniapm.clock import to_rfc3339
from miniapm.domain.scrubbing import make_scrubber
from miniapm.domain.webhooks.attempts import Answered
from miniapm.domain.webhooks.values import EVENTS, FORMATS, Delivery, Webhook
from miniapm.exceptions import Conflict, Unavailable
from miniapm.posting import make_post
from miniapm.storage.connection import Connection
from miniapm.storage.once import write_once
from miniapm.storage.projects import choose_project
from miniapm.storage.webhooks.deliveries import note_try
from miniapm.storage.webhooks.happenings import Place
from miniapm.storage.webhooks.job import try_delivery
from miniapm.storage.webhooks.queue import Queueing, insert_test
from miniapm.storage.webhooks.webhooks import (
    create_webhook,
    delete_webhook,
    get_webhook,
    rotate_secret,
)

webhooks = make_group("webhooks", "Tell people and programs what happens: outgoing webhooks.")
WebhookId = Annotated[
    str, typer.Argument(metavar="ID", help="As `miniapm webhooks list` shows it.")
]


@webhooks.command()
def create(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where to post, such as a chat's incoming webhook.")
    ],
    project: ItsProjectOption = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EVENT", help=f"May be repeated: {', '.join(EVENTS)}.  [default: all]"
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{' or '.join(FORMATS)}.  [default: slack for Slack, Mattermost and Discord]",
        ),
    ] = None,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a webhook, and print its signing secret: the only time that it can be seen.

    Only the secret goes to stdout, so that a script can take it. Receivers check with it that a
    message comes from here (Standard Webhooks); a chat does not need it.

    Example: miniapm webhooks create https://example.com/hook --event verdict.regressed
    """
    settings = load_settings(db, config).config
    act = make_act()
    webhook = write_once(
        settings.database_path,
        lambda connection: create_webhook(
            connection,
            act,
            choose_project(connection, project),
            url,
            event or (),
            form,
            allow_private=settings.webhooks.allow_private,
        ),
    )
    print(webhook.secret, flush=True)
    tell(f"The webhook {webhook.id} of the project {webhook.project_slug} is told of")
    tell(f"{', '.join(webhook.events)}, as {webhook.format}. Its secret is not shown again.")
    tell(f"Try it: miniapm webhooks test {webhook.id}")


webhooks.command("list")(list_webhooks)


@webhooks.command("test")
def send_test(
    webhook_id: WebhookId, db: DatabaseOption = None, config: ConfigOption = None
) -> None:
    """Send a test message now, and say what the receiver answered.

    It is sent from here, whether a server runs or not. Exits 0 when the receiver takes it, 1 when
    it answers anything else, 3 when it cannot be reached.

    Example: miniapm webhooks test 473829104756293632
    """
    settings = load_settings(db, config).config
    path, address = settings.database_path, find_address(settings)
    act = make_act()
    scrubber = make_scrubber(settings.privacy.scrub)
    by = Queueing(act.make_id, scrubber, settings.webhooks.per_hour, act.at)
    webhook, delivery = write_once(path, _write_test, by, read_id("webhooks", webhook_id), address)
    post = make_post(allow_private=settings.webhooks.allow_private)
    tried = asyncio.run(try_delivery(webhook, delivery, post, clock.now, 0.5))
    write_once(path, note_try, webhook, delivery.id, tried)
    if tried.verdict.state == "delivered":
        tell(f"The message arrived at {webhook.target.shown}.")
        return
    message = f"The message did not arrive at {webhook.target.shown}: {tried.verdict.problem}."
    if not isinstance(tried.outcome, Answered):
        raise Unavailable(message)
    tell(message)
    raise typer.Exit(1)


@webhooks.command()
def rotate(
    webhook_id: WebhookId,
    overlap: Annotated[
        str,
        typer.Option(metavar="DURATION", help="How long the old secret still signs, too; 0: not."),
    ] = "24h",
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Replace the signing secret of a webhook by a new one, and print that.

    Until the overlap is over, messages carry a signature by each, so that the receiver can be
    changed meanwhile. Only the new secret goes to stdout. Where the old one may be known to
    others, use --overlap 0.

    Example: miniapm webhooks rotate 473829104756293632
    """
    wanted, act = read_id("webhooks", webhook_id), make_act()
    length = read_overlap(overlap)
    webhook = write_once(find_database(db, config), rotate_secret, act, wanted, length)
    print(webhook.secret, flush=True)
    tell(f"It signs what goes to {webhook.target.shown}, and is not shown again.")
    if webhook.old_secret_until is None:
        tell("The old secret no longer signs.")
    else:
        tell(f"The old secret signs, too, until {to_rfc3339(webhook.old_secret_until)}.")


@webhooks.command()
def delete(
    webhook_id: WebhookId,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove a webhook, what waits to be sent to it, and the log of what was.

    Example: miniapm webhooks delete 473829104756293632
    """
    wanted = read_id("webhooks", webhook_id)
    webhook = write_once(find_database(db, config), delete_webhook, make_act(), wanted)
    tell(f"The webhook {webhook.id} of the project {webhook.project_slug} is deleted.")


def _write_test(
    connection: Connection, by: Queueing, webhook_id: int, address: str
) -> tuple[Webhook, Delivery]:
    """The webhook, and a message that a running server leaves to us."""
    webhook = get_webhook(connection, webhook_id)
    if webhook.disabled_at is not None:
        raise Conflict(
            f"The webhook {webhook.id} is off: its receiver said that it is gone for good. "
            "Delete it, and make one with the right address."
        )
    place = Place(webhook.project_id, webhook.project_slug, address)
    return webhook, insert_test(connection, by, place, webhook)
