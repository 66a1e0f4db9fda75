"""Signing in with a password or a link, and signing out.

A GET never uses a link up: chat programs fetch every link that they show.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.names import clean_name
from miniapm.domain.tokens import hash_token
from miniapm.domain.users import MIN_PASSWORD, User
from miniapm.storage.audit import Act
from miniapm.storage.login_links import VoidLink, get_link, make_first_admin, use_link
from miniapm.storage.sessions import delete_session, find_credentials, sign_in
from miniapm.storage.users import count_users
from miniapm.web.auth import Caller
from miniapm.web.forms import find_faults, find_password_faults, local_path, read_form
from miniapm.web.rate_limits import caller_address
from miniapm.web.render import render
from miniapm.web.sessions import answer_signed_in, answer_signed_out, session_hash

log = logging.getLogger(__name__)

Endpoint = Callable[[Request, Caller], Awaitable[Response]]

# the token stands in the address of the page: nothing keeps it, and no Referer carries it. Not
# `no-referrer`, under which browsers send `Origin: null` with the form, which looks cross-site
_TOKEN_HEADERS = {"cache-control": "no-store", "referrer-policy": "strict-origin"}


@dataclass(frozen=True, slots=True)
class LoginView:
    """The form for name and password. `next` is where the person wanted to go."""

    next: str
    has_users: bool = True
    name: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LinkView:
    """The button that uses a link up."""

    token: str
    name: str


@dataclass(frozen=True, slots=True)
class FirstAdminView:
    """The form that makes the first admin."""

    token: str
    name: str = ""
    faults: dict[str, str] = field(default_factory=dict)
    min_password: int = MIN_PASSWORD


@dataclass(frozen=True, slots=True)
class VoidLinkView:
    """How to get another link."""

    has_users: bool


def explain_void_link(handler: Endpoint) -> Endpoint:
    """Answers a link that is used, too old or unknown with the way to a new one."""

    async def explaining(request: Request, caller: Caller) -> Response:
        try:
            return await handler(request, caller)
        except VoidLink as error:
            has_users = await caller.context.database.read(count_users) > 0
            view = VoidLinkView(has_users)
            return render(request, caller, "void_link.html", view, error.status, _TOKEN_HEADERS)

    return explaining


@explain_void_link
async def get_login(request: Request, caller: Caller) -> Response:
    token = request.query_params.get("token")
    if token is not None:
        return await _show_link(request, caller, token)
    target = local_path(request.query_params.get("next"))
    if caller.user is not None:
        return RedirectResponse(target, 303)
    has_users = await caller.context.database.read(count_users) > 0
    return render(request, caller, "login.html", LoginView(target, has_users))


async def _show_link(request: Request, caller: Caller, token: str) -> Response:
    context = caller.context
    link = await context.database.read(get_link, hash_token(token), context.clock())
    if link.user is None:
        return _ask_first_admin(request, caller, FirstAdminView(token))
    view = LinkView(token, link.user.name)
    return render(request, caller, "login_link.html", view, headers=_TOKEN_HEADERS)


def _ask_first_admin(request: Request, caller: Caller, view: FirstAdminView) -> Response:
    status = 400 if view.faults else 200
    return render(request, caller, "first_admin.html", view, status, _TOKEN_HEADERS)


async def post_login(request: Request, caller: Caller) -> Response:
    """Signs in by name and password."""
    context = caller.context
    context.sign_ins.take(caller_address(request))
    form = await read_form(request)
    name, target = form.get("name", "").strip(), local_path(form.get("next"))
    found = await context.database.read(find_credentials, name)
    stored = found.password_hash if found else None
    if not await context.passwords.verify(stored, form.get("password", "")) or found is None:
        log.warning("a sign-in from %s was refused", caller_address(request))
        view = LoginView(target, name=name, error="The name or the password is wrong.")
        return render(request, caller, "login.html", view, 403)
    previous = session_hash(request)
    token = await context.database.write(
        sign_in, found.user, found.password_hash, context.clock(), previous
    )
    return answer_signed_in(request, context, token, target)


@explain_void_link
async def post_link(request: Request, caller: Caller) -> Response:
    """Signs in by a link of an existing user, and uses it up."""
    context = caller.context
    context.sign_ins.take(caller_address(request))
    form = await read_form(request)
    token = await context.database.write(
        use_link, context.clock(), hash_token(form.get("token", "")), session_hash(request)
    )
    return answer_signed_in(request, context, token, "/")


@explain_void_link
async def post_first_admin(request: Request, caller: Caller) -> Response:
    """Makes the first admin by a link, and uses the link up once that succeeds."""
    context = caller.context
    context.sign_ins.take(caller_address(request))
    form = await read_form(request)
    token, name, password = (form.get(f, "") for f in ("token", "name", "password"))
    hashed = hash_token(token)
    link = await context.database.read(get_link, hashed, context.clock())
    if link.user is not None:
        raise VoidLink
    faults = find_faults(clean_name, name, "user") | find_password_faults(form)
    if faults:
        return _ask_first_admin(request, caller, FirstAdminView(token, name, faults))
    password_hash = await context.passwords.hash(password)
    name = clean_name(name, "user")
    act = Act(name, context.clock(), context.make_id)
    admin = User(context.make_id(), name, "admin", act.at)
    session = await context.database.write(make_first_admin, act, hashed, admin, password_hash)
    return answer_signed_in(request, context, session, "/")


async def post_logout(request: Request, caller: Caller) -> Response:
    hashed = session_hash(request)
    if hashed is not None:
        await caller.context.database.write(delete_session, hashed)
    return answer_signed_out(request, caller.context)
