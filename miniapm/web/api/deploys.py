"""Deploys over the JSON API: read, corrected, hidden, brought back.

The docstring of each handler stands in the OpenAPI document.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import parse_id
from miniapm.domain.keys import DEPLOYS_ADMIN
from miniapm.exceptions import Forbidden, Invalid, NotFound
from miniapm.storage.deploys.change import (
    Changed,
    edit_deploy,
    find_changes,
    hide_deploy,
    restore_deploy,
    undo_change,
)
from miniapm.storage.deploys.find import get_deploy, get_owner
from miniapm.storage.deploys.shown import find_shown, get_shown
from miniapm.storage.projects import Project
from miniapm.web.addresses import base_url
from miniapm.web.api.deploy_bodies import (
    DeployQuery,
    UndoPayload,
    to_body,
    to_changes,
    to_filter,
    to_list,
)
from miniapm.web.api.places import find_its_project
from miniapm.web.api.queries import Problems, choose_project, read_cursor, read_query
from miniapm.web.auth import Caller
from miniapm.web.json_answers import answer_json, read_object


class Place(NamedTuple):
    """A deploy, and its project, which the caller may see."""

    project: Project
    deploy: Deploy


async def list_deploys(request: Request, caller: Caller) -> Response:
    """Lists deploys, newest first.

    Follow `next_cursor` for more: no deploy comes twice or is missed while others arrive.
    """
    problems: Problems = {}
    query = read_query(request, DeployQuery, problems)
    wanted = to_filter(query, problems)
    after = read_cursor(query, problems)
    project = await choose_project(caller, problems)
    page = await caller.context.database.read(find_shown, project.id, wanted, query.limit, after)
    return answer_json(to_list(page, project, base_url(request, caller.context)))


async def show_deploy(request: Request, caller: Caller) -> Response:
    """Shows one deploy with its commits.

    A hidden deploy is found as well.
    """
    return await _answer(request, caller, await find_place(request, caller))


async def patch_deploy(request: Request, caller: Caller) -> Response:
    """Corrects a deploy.

    null or blank text empties a field. A key with `deploys:write` alone corrects only what it
    recorded itself.
    """
    place = await find_place(request, caller)
    _refuse_foreign(caller, place.deploy)
    given = await read_object(request, caller)
    await _change(caller, place, edit_deploy, given)
    return await _answer(request, caller, place)


async def delete_deploy(request: Request, caller: Caller) -> Response:
    """Hides a deploy from lists and numbers.

    It is found by its id as before, and can be restored.
    """
    await _change(caller, await find_place(request, caller), hide_deploy)
    return Response(status_code=204)


async def unhide_deploy(request: Request, caller: Caller) -> Response:
    """Restores a hidden deploy."""
    place = await find_place(request, caller)
    await _change(caller, place, restore_deploy)
    return await _answer(request, caller, place)


async def list_changes(request: Request, caller: Caller) -> Response:
    """Lists the corrections of a deploy, newest first."""
    place = await find_place(request, caller)
    changes = await caller.context.database.read(find_changes, place.project.id, place.deploy.id)
    return answer_json(to_changes(changes))


async def undo_deploy_change(request: Request, caller: Caller) -> Response:
    """Takes back one correction of a deploy.

    That is a correction too, so it can be taken back as well.
    """
    place = await find_place(request, caller)
    change_id = _read_change_id(await read_object(request, caller))
    await _change(caller, place, undo_change, change_id)
    return await _answer(request, caller, place)


async def find_place(request: Request, caller: Caller) -> Place:
    """NotFound for rubbish and for the deploys of projects that the caller may not see."""
    project, deploy_id = await find_its_project(request, caller, "deploy", get_owner)
    return Place(project, await caller.context.database.read(get_deploy, project.id, deploy_id))


def _refuse_foreign(caller: Caller, deploy: Deploy) -> None:
    key = caller.key
    if key is None or DEPLOYS_ADMIN in key.scopes:
        return
    if deploy.key_id != key.id:
        raise Forbidden(
            "This key changes only the deploys that it recorded; "
            f"changing others takes the scope {DEPLOYS_ADMIN}."
        )


async def _change(
    caller: Caller, place: Place, change: Callable[..., Changed], *values: Any
) -> None:
    await caller.context.database.write(
        change, caller.make_act(), place.project.id, place.deploy.id, *values
    )


async def _answer(request: Request, caller: Caller, place: Place) -> Response:
    context = caller.context
    found = await context.database.read(get_shown, place.project.id, place.deploy.id)
    return answer_json(to_body(found, place.project, base_url(request, context)))


def _read_change_id(given: dict[str, Any]) -> int:
    problems = {name: "is no field here" for name in given if name != "change"}
    try:
        payload = msgspec.convert({"change": given.get("change")}, UndoPayload)
    except msgspec.ValidationError:
        problems["change"] = "must be the id of a correction, as text"
    if problems:
        raise Invalid('The body must be {"change": ID}, as /changes lists it.', problems)
    change_id = parse_id(payload.change)
    if change_id is None:
        raise NotFound("There is no such change of this deploy.")
    return change_id
