"""Errors over the JSON API: read, resolved, ignored, opened again.

The docstring of each handler stands in the OpenAPI document.
"""

from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.errors.values import STATES, State
from miniapm.exceptions import Invalid
from miniapm.printable import printable
from miniapm.storage.connection import Connection
from miniapm.storage.errors.counts import SeenRelease, find_seen_releases
from miniapm.storage.errors.find import (
    FoundGroup,
    FoundRelease,
    find_groups,
    find_releases_by_id,
    get_found_group,
)
from miniapm.storage.errors.groups import get_group, get_owner, set_state
from miniapm.storage.errors.occurrences import Kept, find_occurrence_ids, get_occurrence
from miniapm.storage.projects import Project
from miniapm.web.addresses import base_url
from miniapm.web.api.error_bodies import (
    ErrorPatch,
    ErrorQuery,
    to_filter,
    to_list,
    to_whole_body,
)
from miniapm.web.api.places import find_its_project
from miniapm.web.api.queries import Problems, choose_project, read_cursor, read_query
from miniapm.web.auth import Caller
from miniapm.web.json_answers import answer_json, read_object

_MOST_RELEASES = 100


class Place(NamedTuple):
    """A group, and its project, which the caller may see."""

    project: Project
    group_id: int


class Whole(NamedTuple):
    """What one look at the database gave."""

    found: FoundGroup
    seen: list[SeenRelease]
    names: dict[int, FoundRelease]
    latest: Kept | None


async def list_errors(request: Request, caller: Caller) -> Response:
    """Lists errors, the last seen first.

    Follow `next_cursor` for more; an error that occurs meanwhile moves to the front.
    """
    problems: Problems = {}
    query = read_query(request, ErrorQuery, problems)
    wanted = to_filter(query, problems)
    after = read_cursor(query, problems)
    project = await choose_project(caller, problems)
    page = await caller.context.database.read(find_groups, project.id, wanted, query.limit, after)
    return answer_json(to_list(page, project, base_url(request, caller.context)))


async def show_error(request: Request, caller: Caller) -> Response:
    """Shows one error with the releases in which it was seen, and its latest occurrence."""
    return await _answer(request, caller, await _find_place(request, caller))


async def patch_error(request: Request, caller: Caller) -> Response:
    """Resolves, ignores or opens an error.

    A resolved one that occurs again is open again, and remembers the deploy that was live then.
    """
    place = await _find_place(request, caller)
    state = _read_state(await read_object(request, caller))
    await caller.context.database.write(
        set_state, caller.make_act(), place.project.id, place.group_id, state
    )
    return await _answer(request, caller, place)


async def _find_place(request: Request, caller: Caller) -> Place:
    """NotFound for rubbish and for the errors of projects that the caller may not see."""
    project, group_id = await find_its_project(request, caller, "error", get_owner)
    await caller.context.database.read(get_group, project.id, group_id)
    return Place(project, group_id)


def _read_state(given: dict[str, object]) -> State:
    problems = {printable(n): "cannot be changed" for n in given if n != "state"}
    if given.get("state") not in STATES:
        problems["state"] = "must be open, resolved or ignored"
    if problems:
        name, reason = next(iter(problems.items()))
        raise Invalid(f"{name} {reason}.", problems)
    return msgspec.convert(given, ErrorPatch).state


async def _answer(request: Request, caller: Caller, place: Place) -> Response:
    context, project = caller.context, place.project
    whole = await context.database.read(_find, project.id, place.group_id)
    return answer_json(to_whole_body(*whole, project, base_url(request, context)))


def _find(connection: Connection, project_id: int, group_id: int) -> Whole:
    seen = find_seen_releases(connection, project_id, group_id, _MOST_RELEASES)
    ids = find_occurrence_ids(connection, project_id, group_id)
    return Whole(
        get_found_group(connection, project_id, group_id),
        seen,
        find_releases_by_id(connection, project_id, (r.release_id for r in seen)),
        get_occurrence(connection, project_id, group_id, ids[-1]) if ids else None,
    )
