"""`miniapm webhooks list`."""

from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    OnlyProjectOption,
    find_database,
)
from miniapm.cli.output import print_rows
from miniapm.domain.webhooks.values import Delivery, Webhook
from miniapm.storage.connection import Connection
from miniapm.storage.once import read_once
from miniapm.storage.projects import choose_project
from miniapm.storage.webhooks.deliveries import KEPT_PER_WEBHOOK, find_last_tried, find_log
from miniapm.storage.webhooks.webhooks import find_webhooks


def list_webhooks(
    project: OnlyProjectOption = None,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List the webhooks, what they are told, and how the last message went.

    The long parts of an address are left out: with some chats, they are its secret.

    Example: miniapm webhooks list --project web-shop
    """
    rows = read_once(find_database(db, config), _find_rows, project)
    print_rows(
        rows,
        {
            "id": "ID",
            "project": "PROJECT",
            "url": "URL",
            "format": "FORMAT",
            "events": "EVENTS",
            "state": "STATE",
            "last_tried_at": "LAST TRIED",
        },
        as_json=as_json,
        empty="There is no webhook yet; `miniapm webhooks create URL` makes one.",
    )


def _find_rows(connection: Connection, project: str | None) -> list[dict[str, object]]:
    chosen = choose_project(connection, project).id if project else None
    return [_to_row(connection, webhook) for webhook in find_webhooks(connection, chosen)]


def _to_row(connection: Connection, webhook: Webhook) -> dict[str, object]:
    last = find_last_tried(find_log(connection, webhook, KEPT_PER_WEBHOOK))
    return {
        "id": webhook.id,
        "project": webhook.project_slug,
        "url": webhook.target.shown,
        "format": webhook.format,
        "events": list(webhook.events),
        "state": _state(webhook, last),
        "problem": last.problem if last else "",
        "created_at": webhook.created_at,
        "last_tried_at": last.tried_at if last else None,
    }


def _state(webhook: Webhook, last: Delivery | None) -> str:
    if webhook.disabled_at is not None:
        return "off"
    if last is None:
        return "not tried"
    return "delivers" if last.state == "delivered" else "fails"
