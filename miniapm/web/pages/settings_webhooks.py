"""Telling people: the webhooks of a project with what was sent to them, and its badges.

Everybody of the project may see the badges; webhooks are an admin's. A signing secret is shown
once, in the answer to the form that made it.
"""

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.clock import DAY
from miniapm.domain.ids import parse_id
from miniapm.domain.webhooks.targets import check_target
from miniapm.domain.webhooks.values import EVENTS, Delivery, Webhook, check_format
from miniapm.exceptions import Conflict, Invalid, NotFound
from miniapm.storage.badges import Badge, delete_badge, find_badges, make_badge
from miniapm.storage.connection import Connection
from miniapm.storage.webhooks.deliveries import KEPT_PER_WEBHOOK, find_delivery, find_log
from miniapm.storage.webhooks.happenings import Place
from miniapm.storage.webhooks.queue import Queueing, queue_test
from miniapm.storage.webhooks.webhooks import (
    create_webhook,
    delete_webhook,
    find_webhooks,
    get_webhook,
    rotate_secret,
)
from miniapm.web.addresses import base_url
from miniapm.web.auth import Caller
from miniapm.web.forms import Form, find_faults, read_form
from miniapm.web.render import render

FIRST_DELIVERIES = 20
OVERLAP = DAY
"""How long an old signing secret signs beside the new one."""
# the job looks every two seconds
_TEST_SECONDS = 5.0
_TEST_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook and what was sent to it, newest first. `old_secret_until` is None where one secret
    signs."""

    webhook: Webhook
    address: str
    old_secret_until: int | None
    log: list[Delivery]


@dataclass(frozen=True, slots=True)
class WebhookForm:
    """The form for a new webhook, as it was filled in."""

    url: str = ""
    events: tuple[str, ...] = tuple(EVENTS)
    format: str = ""
    faults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TellingView:
    """`webhooks` is empty for who may not see them."""

    may_change: bool
    webhooks: list[WebhookRow]
    badges: list[Badge]
    form: WebhookForm
    event_words: dict[str, str]
    base_url: str
    may_have_more: bool
    allow_private: bool
    per_hour: int


@dataclass(frozen=True, slots=True)
class NewWebhookView:
    """A webhook with its secret, which is new; so may be the webhook."""

    webhook: Webhook
    secret: str


async def get_telling(request: Request, caller: Caller) -> Response:
    return await _show(request, caller, WebhookForm())


async def _show(request: Request, caller: Caller, form: WebhookForm) -> Response:
    context, is_admin = caller.context, caller.may("admin")
    shows_all = request.query_params.get("sent") == "all"
    most = KEPT_PER_WEBHOOK if shows_all else FIRST_DELIVERIES
    rows, badges = await context.database.read(
        _find_telling, caller.its_project.id, most if is_admin else None, context.clock()
    )
    settings = context.config.webhooks
    view = TellingView(
        may_change=is_admin,
        webhooks=rows,
        badges=badges,
        form=form,
        event_words=EVENTS,
        base_url=base_url(request, context),
        may_have_more=not shows_all and any(len(row.log) == most for row in rows),
        allow_private=settings.allow_private,
        per_hour=settings.per_hour,
    )
    status = 400 if form.faults else 200
    return render(request, caller, "settings_webhooks.html", view, status)


def _find_telling(
    connection: Connection, project_id: int, most: int | None, now: int
) -> tuple[list[WebhookRow], list[Badge]]:
    webhooks = [] if most is None else find_webhooks(connection, project_id)
    rows = [
        WebhookRow(
            webhook=webhook,
            address=webhook.target.shown,
            old_secret_until=webhook.old_secret_until if webhook.find_secrets(now)[1:] else None,
            log=find_log(connection, webhook, most or 0),
        )
        for webhook in webhooks
    ]
    return rows, find_badges(connection, project_id)


async def post_webhook(request: Request, caller: Caller) -> Response:
    """Makes a webhook and shows its secret; with faults, shows the form again."""
    context = caller.context
    allow_private = context.config.webhooks.allow_private
    form = _read_form(await read_form(request), allow_private)
    if form.faults:
        return await _show(request, caller, form)
    webhook = await context.database.write(
        create_webhook,
        caller.make_act(),
        caller.its_project,
        form.url,
        form.events,
        form.format or None,
        allow_private=allow_private,
    )
    return _show_secret(request, caller, webhook)


async def post_rotation(request: Request, caller: Caller) -> Response:
    """Replaces the signing secret and shows the new one."""
    webhook = await caller.context.database.write(
        rotate_secret, caller.make_act(), _webhook_id(request), OVERLAP, caller.its_project.id
    )
    return _show_secret(request, caller, webhook)


def _show_secret(request: Request, caller: Caller, webhook: Webhook) -> Response:
    view = NewWebhookView(webhook, webhook.secret)
    headers = {"cache-control": "no-store"}
    return render(request, caller, "new_webhook.html", view, headers=headers)


def _read_form(sent: Form, allow_private: bool) -> WebhookForm:
    form = WebhookForm(
        url=sent.get("url", "").strip(),
        events=tuple(event for event in EVENTS if event in sent.get_all("event")),
        format=sent.get("format", ""),
    )
    faults = find_faults(check_target, form.url, allow_private=allow_private)
    form.faults.update(faults)
    if not faults:
        target = check_target(form.url, allow_private=allow_private)
        form.faults.update(find_faults(check_format, form.format or None, target))
    if not form.events:
        form.faults["event"] = "must be at least one"
    return form


async def post_test(request: Request, caller: Caller) -> Response:
    """Sends a test, waits a moment for it, and goes back to where its result stands."""
    context, project = caller.context, caller.its_project
    webhook_id = _webhook_id(request)
    webhook = await context.database.read(get_webhook, webhook_id, project.id)
    if webhook.disabled_at is not None:
        raise Conflict("This webhook is off. Delete it, and make one with the right address.")
    place = Place(project.id, project.slug, base_url(request, context))
    limits = context.config.webhooks
    by = Queueing(context.make_id, context.scrubber, limits.per_hour, context.clock())
    delivery_id = await context.database.write(queue_test, by, place, webhook)
    await _wait(caller, delivery_id)
    return _back(caller, f"#webhook-{webhook.id}")


async def _wait(caller: Caller, delivery_id: int) -> None:
    """Until the job has tried it; what takes longer is seen on the page later."""
    database, project = caller.context.database, caller.its_project
    for _ in range(int(_TEST_SECONDS / _TEST_LOOK_SECONDS)):
        delivery = await database.read(find_delivery, project.id, delivery_id)
        if delivery is None or delivery.tried_at is not None:
            return
        await asyncio.sleep(_TEST_LOOK_SECONDS)


async def post_deletion(request: Request, caller: Caller) -> Response:
    """Removes a webhook, and what waits for it."""
    await caller.context.database.write(
        delete_webhook, caller.make_act(), _webhook_id(request), caller.its_project.id
    )
    return _back(caller, "#webhooks")


async def post_badge(request: Request, caller: Caller) -> Response:
    """Makes the badge of an environment, gives it a new address, or removes it."""
    form = await read_form(request)
    change = {"make": make_badge, "delete": delete_badge}.get(form.get("do", ""))
    if change is None:
        raise Invalid("The form says neither make nor delete; load the page again.")
    await caller.context.database.write(
        change, caller.make_act(), caller.its_project.id, form.get("env", "")
    )
    return _back(caller, "#badges")


def _back(caller: Caller, where: str) -> Response:
    return RedirectResponse(f"/p/{caller.its_project.slug}/settings/webhooks{where}", 303)


def _webhook_id(request: Request) -> int:
    webhook_id = parse_id(request.path_params["webhook_id"])
    if webhook_id is None:
        raise NotFound("There is no such webhook.")
    return webhook_id
