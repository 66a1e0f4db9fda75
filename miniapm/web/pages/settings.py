"""Settings of a project: its keys, how to send with them, what was refused, who changed what.

Everybody of the project may look; only an admin changes keys. A new key is shown once, in the
answer to the form that made it: no redirect, so it never stands in an address.
"""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.clock import DAY, HOUR
from miniapm.domain.ids import parse_id
from miniapm.domain.keys import DEFAULT_SCOPES, SCOPES, TRACES_WRITE, Key
from miniapm.domain.names import clean_name
from miniapm.domain.users import User
from miniapm.exceptions import Invalid, NotFound
from miniapm.storage.audit import AuditEntry
from miniapm.storage.keys import IssuedKey, issue_key, revoke_key, rotate_key
from miniapm.storage.refusals import KEPT_PER_PROJECT
from miniapm.storage.settings import find_settings
from miniapm.web.addresses import base_url
from miniapm.web.auth import Caller
from miniapm.web.forms import Form, find_faults, read_form
from miniapm.web.pages.refusals import RefusalRow, tell_refusal
from miniapm.web.render import render
from miniapm.web.snippets import (
    Snippet,
    list_error_snippets,
    list_snippets,
    write_telemetry_setup,
)

FIRST_REFUSALS = 10
SCOPE_WORDS = {
    "deploys:write": "records deploys and corrects those it recorded",
    "deploys:admin": "corrects, hides and restores every deploy",
    "traces:write": "sends traces and requests",
    "errors:write": "sends errors",
    "read": "reads everything of the project",
}
EXPIRIES = {"never": None, "30d": 30 * DAY, "90d": 90 * DAY, "1y": 365 * DAY}
OVERLAPS = {"0": 0, "1h": HOUR, "24h": DAY, "7d": 7 * DAY}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key and how it stands: `active`, `ending` (at `ends_at`), `revoked` or `expired`."""

    key: Key
    state: str
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class KeyForm:
    """The form for a new key, as it was filled in."""

    name: str = ""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    env: str = ""
    service: str = ""
    expires: str = "never"
    faults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettingsView:
    may_change: bool
    form: KeyForm
    live_keys: list[KeyRow]
    ended_keys: list[KeyRow]
    refusals: list[RefusalRow]
    unknown_refusals: list[RefusalRow]
    shows_all: bool
    entries: list[AuditEntry]
    users: list[User]
    snippets: tuple[Snippet, ...]
    error_snippets: tuple[Snippet, ...]
    telemetry_setup: str
    base_url: str
    scope_words: dict[str, str]


@dataclass(frozen=True, slots=True)
class NewKeyView:
    """A key with its secret. `old_ends_at` is when the key that it replaces ends; `telemetry_setup`
    is "" where the key may not send traces."""

    key: Key
    secret: str
    old_ends_at: int | None
    snippets: tuple[Snippet, ...]
    telemetry_setup: str
    base_url: str


async def get_settings(request: Request, caller: Caller) -> Response:
    return await _show(request, caller, KeyForm())


async def _show(request: Request, caller: Caller, form: KeyForm) -> Response:
    context, is_admin = caller.context, caller.may("admin")
    now, address = context.clock(), base_url(request, context)
    shows_all = request.query_params.get("refused") == "all"
    found = await context.database.read(
        find_settings,
        caller.its_project.id,
        KEPT_PER_PROJECT if shows_all else FIRST_REFUSALS,
        whole_server=is_admin,
    )
    rows = [_to_row(key, now) for key in found.keys]
    names = {key.id: key.name for key in found.keys}
    view = SettingsView(
        may_change=is_admin,
        form=form,
        live_keys=[row for row in rows if not row.key.has_ended(now)],
        ended_keys=[row for row in rows if row.key.has_ended(now)],
        refusals=[tell_refusal(r, names, cut=not shows_all) for r in found.refusals],
        unknown_refusals=[
            tell_refusal(r, names, cut=not shows_all) for r in found.unknown_refusals
        ],
        shows_all=shows_all,
        entries=found.entries,
        users=found.users,
        snippets=list_snippets(address, None),
        error_snippets=list_error_snippets(address, None),
        telemetry_setup=write_telemetry_setup(address, caller.its_project.slug),
        base_url=address,
        scope_words=SCOPE_WORDS,
    )
    return render(request, caller, "settings.html", view, 400 if form.faults else 200)


def _to_row(key: Key, now: int) -> KeyRow:
    ends = [end for end in (key.revoked_at, key.expires_at) if end is not None]
    if key.has_ended(now):
        is_revoked = key.revoked_at is not None and key.revoked_at <= now
        return KeyRow(key, "revoked" if is_revoked else "expired", min(ends))
    return KeyRow(key, "ending" if ends else "active", min(ends, default=None))


async def post_key(request: Request, caller: Caller) -> Response:
    """Makes a key and shows it; with faults, shows the form again."""
    context, project = caller.context, caller.its_project
    form = _read_key_form(await read_form(request))
    if form.faults:
        return await _show(request, caller, form)
    act = caller.make_act()
    lifetime = EXPIRIES[form.expires]
    issued = await context.database.write(
        issue_key,
        act,
        project,
        form.name,
        form.scopes,
        env=form.env.strip() or None,
        service=form.service.strip() or None,
        expires_at=None if lifetime is None else act.at + lifetime,
    )
    return await _show_new(request, caller, issued, None)


def _read_key_form(sent: Form) -> KeyForm:
    form = KeyForm(
        name=sent.get("name", ""),
        scopes=tuple(scope for scope in SCOPES if scope in sent.get_all("scope")),
        env=sent.get("env", ""),
        service=sent.get("service", ""),
        expires=sent.get("expires", "never"),
    )
    form.faults.update(find_faults(clean_name, form.name, "key"))
    if not form.scopes:
        form.faults["scope"] = "must be at least one"
    for name, value in (("env", form.env), ("service", form.service)):
        if value.strip():
            form.faults.update(find_faults(clean_name, value, name, name))
    if form.expires not in EXPIRIES:
        form.faults["expires"] = f"must be one of {', '.join(EXPIRIES)}"
    return form


async def post_rotation(request: Request, caller: Caller) -> Response:
    """Replaces a key by one like it and shows that; the old one ends after the overlap."""
    context, key_id = caller.context, _key_id(request)
    overlap = OVERLAPS.get((await read_form(request)).get("overlap", ""))
    if overlap is None:
        raise Invalid(f"The overlap must be one of {', '.join(OVERLAPS)}.")
    act = caller.make_act()
    issued = await context.database.write(rotate_key, act, key_id, overlap, caller.its_project.id)
    return await _show_new(request, caller, issued, act.at + overlap)


async def post_revocation(request: Request, caller: Caller) -> Response:
    """Ends a key now."""
    context = caller.context
    act = caller.make_act()
    await context.database.write(revoke_key, act, _key_id(request), caller.its_project.id)
    await context.keyring.refresh()
    return RedirectResponse(f"/p/{caller.its_project.slug}/settings#keys", 303)


async def _show_new(
    request: Request, caller: Caller, issued: IssuedKey, old_ends_at: int | None
) -> Response:
    await caller.context.keyring.refresh()
    address = base_url(request, caller.context)
    snippets = list_snippets(address, issued.secret)
    setup = _write_setup(address, issued)
    view = NewKeyView(issued.key, issued.secret, old_ends_at, snippets, setup, address)
    headers = {"cache-control": "no-store"}
    return render(request, caller, "new_key.html", view, headers=headers)


def _write_setup(address: str, issued: IssuedKey) -> str:
    key = issued.key
    if TRACES_WRITE not in key.scopes:
        return ""
    setup = write_telemetry_setup(address, key.service or key.project_slug, key.env)
    return f"export MINIAPM_API_KEY={issued.secret}\n{setup}"


def _key_id(request: Request) -> int:
    key_id = parse_id(request.path_params["key_id"])
    if key_id is None:
        raise NotFound("There is no such key.")
    return key_id
