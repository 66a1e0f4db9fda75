"""Receivers: the addresses of a project for senders with webhooks of their own.

They are an admin's. An address and its secret are shown once, in the answer to the form that made
them.
"""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.ids import parse_id
from miniapm.domain.receivers.commands import Command, list_commands
from miniapm.domain.receivers.setup import NAMES, tell_setup
from miniapm.domain.receivers.values import Receiver, ReceiverKind, ReceiverTerms, check_terms
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.receivers.latest import Latest, find_latest
from miniapm.storage.receivers.receivers import create_receiver, find_receivers, revoke_receiver
from miniapm.web.addresses import base_url
from miniapm.web.auth import Caller
from miniapm.web.forms import Form, find_faults, read_form
from miniapm.web.render import render


@dataclass(frozen=True, slots=True)
class ReceiverRow:
    """A receiver, and what came to it last."""

    receiver: Receiver
    name: str
    latest: Latest | None


@dataclass(frozen=True, slots=True)
class ReceiverForm:
    """The form for a new receiver, as it was filled in; `workflows` is a name a line."""

    kind: str = "github"
    env: str = ""
    service: str = ""
    workflows: str = ""
    branch: str = ""
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def workflow_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.workflows.splitlines() if name.strip())


@dataclass(frozen=True, slots=True)
class ReceiversView:
    """Both lists are empty for who may not see them."""

    may_change: bool
    live: list[ReceiverRow]
    revoked: list[ReceiverRow]
    form: ReceiverForm
    names: dict[ReceiverKind, str]


@dataclass(frozen=True, slots=True)
class NewReceiverView:
    """A receiver with its address and secret, "" where its sender cannot sign."""

    receiver: Receiver
    name: str
    address: str
    secret: str
    steps: tuple[str, ...]
    commands: tuple[Command, ...]


async def get_receivers(request: Request, caller: Caller) -> Response:
    return await _show(request, caller, ReceiverForm())


async def _show(request: Request, caller: Caller, form: ReceiverForm) -> Response:
    rows: list[ReceiverRow] = []
    if caller.may("admin"):
        rows = await caller.context.database.read(_find_rows, caller.its_project.id)
    view = ReceiversView(
        may_change=caller.may("admin"),
        live=[row for row in rows if row.receiver.revoked_at is None],
        revoked=[row for row in rows if row.receiver.revoked_at is not None],
        form=form,
        names=NAMES,
    )
    status = 400 if form.faults else 200
    return render(request, caller, "settings_receivers.html", view, status)


def _find_rows(connection: Connection, project_id: int) -> list[ReceiverRow]:
    receivers = find_receivers(connection, project_id)
    latest = find_latest(connection, receivers)
    return [
        ReceiverRow(receiver, NAMES[receiver.kind], latest.get(receiver.id))
        for receiver in receivers
    ]


async def post_receiver(request: Request, caller: Caller) -> Response:
    """Makes a receiver and shows its address; with faults, shows the form again."""
    context = caller.context
    form = _read_form(await read_form(request))
    if form.faults:
        return await _show(request, caller, form)
    terms = _check(form)
    issued = await context.database.write(
        create_receiver, caller.make_act(), caller.its_project, terms
    )
    receiver = issued.receiver
    address = base_url(request, context) + issued.path
    view = NewReceiverView(
        receiver=receiver,
        name=NAMES[receiver.kind],
        address=address,
        secret=receiver.secret,
        steps=tell_setup(receiver.kind),
        commands=list_commands(terms, address, receiver.secret),
    )
    headers = {"cache-control": "no-store"}
    return render(request, caller, "new_receiver.html", view, headers=headers)


def _read_form(sent: Form) -> ReceiverForm:
    form = ReceiverForm(
        kind=sent.get("kind", ""),
        env=sent.get("env", "").strip(),
        service=sent.get("service", "").strip(),
        workflows=sent.get("workflow", ""),
        branch=sent.get("branch", "").strip(),
    )
    form.faults.update(find_faults(_check, form))
    return form


def _check(form: ReceiverForm) -> ReceiverTerms:
    return check_terms(
        form.kind,
        env=form.env or None,
        service=form.service or None,
        workflows=form.workflow_names,
        branch=form.branch or None,
    )


async def post_revocation(request: Request, caller: Caller) -> Response:
    """Ends a receiver now."""
    project = caller.its_project
    receiver_id = parse_id(request.path_params["receiver_id"])
    if receiver_id is None:
        raise NotFound("There is no such receiver.")
    await caller.context.database.write(revoke_receiver, caller.make_act(), receiver_id, project.id)
    return RedirectResponse(f"/p/{project.slug}/settings/receivers", 303)
