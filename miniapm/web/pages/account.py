"""A person's own account: who they are, and a new password."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.users import MIN_PASSWORD, User
from miniapm.exceptions import Unauthorized
from miniapm.storage.sessions import change_password, find_credentials
from miniapm.web.auth import Caller, find_visible_projects
from miniapm.web.forms import find_password_faults, read_form
from miniapm.web.rate_limits import caller_address
from miniapm.web.render import render
from miniapm.web.sessions import answer_signed_in


@dataclass(frozen=True, slots=True)
class AccountView:
    """The form for a new password."""

    project_names: list[str]
    changed: bool = False
    faults: dict[str, str] = field(default_factory=dict)
    min_password: int = MIN_PASSWORD


async def get_account(request: Request, caller: Caller) -> Response:
    return await _show(request, caller, {}, changed="changed" in request.query_params)


async def _show(
    request: Request, caller: Caller, faults: dict[str, str], *, changed: bool = False
) -> Response:
    names = [project.name for project in await find_visible_projects(caller)]
    view = AccountView(names, changed, faults)
    return render(request, caller, "account.html", view, 400 if faults else 200)


async def post_password(request: Request, caller: Caller) -> Response:
    """Replaces the caller's password; every other session of theirs ends."""
    context, user = caller.context, _signed_in(caller)
    context.sign_ins.take(caller_address(request))
    form = await read_form(request)
    found = await context.database.read(find_credentials, user.name)
    stored = found.password_hash if found else ""
    faults = find_password_faults(form)
    if not await context.passwords.verify(stored, form.get("old", "")):
        faults["old"] = "is not your password"
    if faults:
        return await _show(request, caller, faults)
    hashed = await context.passwords.hash(form["password"])
    act = caller.make_act()
    token = await context.database.write(change_password, act, user, stored, hashed)
    return answer_signed_in(request, context, token, "/account?changed")


def _signed_in(caller: Caller) -> User:
    if caller.user is None:
        raise Unauthorized("Sign in first.")
    return caller.user
