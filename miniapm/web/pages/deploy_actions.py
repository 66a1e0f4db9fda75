"""What a member does to a deploy: edit, overrule, hide, restore, undo, dismiss or confirm its
verdict. Each leads back to its page."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.deploys.corrections import OVERRULED
from miniapm.domain.ids import parse_id
from miniapm.domain.impact.reviewing import read_review
from miniapm.exceptions import Conflict, Invalid, NotFound
from miniapm.storage.deploys.change import (
    Changed,
    edit_deploy,
    hide_deploy,
    restore_deploy,
    undo_change,
)
from miniapm.storage.impact.reviews import review_verdict
from miniapm.web.auth import Caller
from miniapm.web.filters import kept_query
from miniapm.web.forms import read_form
from miniapm.web.pages.deploy import deploy_id_of, show_deploy
from miniapm.web.pages.deploy_form import refuse, save_form
from miniapm.web.time_zone import find_zone


async def post_edit(request: Request, caller: Caller) -> Response:
    """Saves the form; with mistakes, shows it again with each beside its field."""
    deploy_id, form = deploy_id_of(request), await read_form(request)
    project, database = caller.its_project, caller.context.database
    try:
        changed = await database.write(
            save_form, caller.make_act(), project.id, deploy_id, form, find_zone(request)
        )
    except (Invalid, Conflict) as error:
        return await show_deploy(request, caller, refuse(form, error), error.status)
    return _back(request, caller, changed)


async def post_overruling(request: Request, caller: Caller) -> Response:
    """Keeps what a person says of whether it failed; an empty word takes it back."""
    deploy_id, form = deploy_id_of(request), await read_form(request)
    changed = await caller.context.database.write(
        edit_deploy,
        caller.make_act(),
        caller.its_project.id,
        deploy_id,
        {OVERRULED: form.get(OVERRULED) or None},
    )
    return _back(request, caller, changed)


async def post_hide(request: Request, caller: Caller) -> Response:
    changed = await caller.context.database.write(
        hide_deploy, caller.make_act(), caller.its_project.id, deploy_id_of(request)
    )
    return _back(request, caller, changed)


async def post_restore(request: Request, caller: Caller) -> Response:
    changed = await caller.context.database.write(
        restore_deploy, caller.make_act(), caller.its_project.id, deploy_id_of(request)
    )
    return _back(request, caller, changed)


async def post_undo(request: Request, caller: Caller) -> Response:
    """Puts back what the change named in the form found."""
    deploy_id, form = deploy_id_of(request), await read_form(request)
    change_id = parse_id(form.get("change", ""))
    if change_id is None:
        raise NotFound("There is no such change of this deploy.")
    changed = await caller.context.database.write(
        undo_change, caller.make_act(), caller.its_project.id, deploy_id, change_id
    )
    return _back(request, caller, changed, "undone")


async def post_review(request: Request, caller: Caller) -> Response:
    """Keeps what a person says of the verdict; an empty decision takes it back."""
    deploy_id, form = deploy_id_of(request), await read_form(request)
    given: dict[str, str | None] = {"note": form.get("note", "")}
    if "decision" in form:
        given["decision"] = form.get("decision") or None
    decision, note = read_review(given)
    project = caller.its_project
    await caller.context.database.write(
        review_verdict, caller.make_act(), project.id, deploy_id, decision, note
    )
    kept = kept_query(request.query_params)
    return RedirectResponse(f"/p/{project.slug}/deploys/{deploy_id}{kept}", 303)


def _back(request: Request, caller: Caller, changed: Changed, what: str = "changed") -> Response:
    """To the deploy's page, which says what was done and offers to undo it."""
    kept = kept_query(request.query_params)
    change = {"changed": "nothing"} if changed.change_id is None else {what: str(changed.change_id)}
    query = f"{kept}&{urlencode(change)}" if kept else f"?{urlencode(change)}"
    page = f"/p/{caller.its_project.slug}/deploys/{changed.deploy.id}"
    return RedirectResponse(page + query, 303)
