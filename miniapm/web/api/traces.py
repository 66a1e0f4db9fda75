"""Traces over the JSON API: requests one by one, and one trace with its spans.

The docstring of each handler stands in the OpenAPI document.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import MINUTE
from miniapm.domain.spans.batches import OLDEST
from miniapm.domain.spans.trees import build_trace
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.projects import Project
from miniapm.storage.releases import find_endpoints, find_releases
from miniapm.storage.spans.entries import EntryCursor, EntryFilter, EntryPage
from miniapm.storage.spans.find import find_slowest
from miniapm.storage.spans.recent import find_recent
from miniapm.web.addresses import base_url
from miniapm.web.api.queries import Problems, choose_project, read_cursor, read_query
from miniapm.web.api.trace_bodies import (
    Names,
    TraceQuery,
    to_filter,
    to_list,
)
from miniapm.web.api.whole_trace_bodies import WholeTraceBody, to_whole_body
from miniapm.web.auth import Caller, find_visible_projects
from miniapm.web.json_answers import answer_json
from miniapm.web.stored_traces import load_trace, read_trace_id

_AHEAD = 15 * MINUTE


async def list_traces(request: Request, caller: Caller) -> Response:
    """Lists requests, the newest or the slowest first.

    Each page looks at a bounded number of them; follow `next_cursor` until it is null.
    """
    context = caller.context
    problems: Problems = {}
    query = read_query(request, TraceQuery, problems)
    now = context.clock()
    oldest = now - context.config.lifetimes.spans - OLDEST
    wanted = to_filter(query, problems, oldest, now + _AHEAD)
    after = read_cursor(query, problems)
    project = await choose_project(caller, problems)
    place = None if after is None else EntryCursor(*after)
    page, names = await context.database.read(
        _find, project.id, wanted, query.limit, place, query.sort == "slow"
    )
    return answer_json(to_list(page, names, project, base_url(request, context)))


async def show_trace(request: Request, caller: Caller) -> Response:
    """Shows one trace with its spans and their attributes, secrets masked.

    Of a very large one some spans, or what they hold, are left out; `is_complete` says so.
    """
    context = caller.context
    trace_id = read_trace_id(request.path_params["trace_id"])
    project = await _find_owner(caller, trace_id)
    loaded = await load_trace(context, project.id, trace_id, None)
    names = await context.database.read(_find_names, project.id)
    address = base_url(request, context)

    def make() -> WholeTraceBody:
        trace = build_trace(loaded.spans)
        return to_whole_body(loaded, trace, names, project, address, context.scrubber)

    return answer_json(await asyncio.to_thread(make))


async def _find_owner(caller: Caller, trace_id: bytes) -> Project:
    """The project of the call; a browser that names none sees the trace in whichever has it."""
    if caller.project is not None:
        return caller.project
    for project in await find_visible_projects(caller):
        try:
            await load_trace(caller.context, project.id, trace_id, None)
        except NotFound:
            continue
        return project
    raise NotFound(f"There is no trace {trace_id.hex()} here.")


def _find(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    limit: int,
    after: EntryCursor | None,
    slow: bool,
) -> tuple[EntryPage, Names]:
    find = find_slowest if slow else find_recent
    page = find(connection, project_id, wanted, limit, after)
    return page, _find_names(connection, project_id)


def _find_names(connection: Connection, project_id: int) -> Names:
    return Names(
        find_endpoints(connection, project_id),
        {release.id: release for release in find_releases(connection, project_id)},
    )
