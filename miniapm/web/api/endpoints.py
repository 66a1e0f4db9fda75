"""Endpoints over the JSON API, with their figures.

The docstring of each handler stands in the OpenAPI document.
"""

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import DAY
from miniapm.domain.ranges import widen_to_kept
from miniapm.domain.spans.comparisons import Window
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.endpoints.find import EndpointFigures, EndpointFinder
from miniapm.storage.endpoints.sums import EndpointTimes, get_endpoint_times
from miniapm.web.addresses import base_url
from miniapm.web.api.endpoint_bodies import EndpointList, EndpointQuery, to_endpoint_body
from miniapm.web.api.queries import (
    Problems,
    choose_project,
    read_cursor,
    read_query,
    read_since,
    read_until,
)
from miniapm.web.auth import Caller
from miniapm.web.cursors import encode_cursor
from miniapm.web.json_answers import answer_json


class Found(NamedTuple):
    """A page of endpoints and when they were called; `after` is None on the last page."""

    rows: list[EndpointFigures]
    times: dict[int, EndpointTimes]
    after: Cursor | None


async def list_endpoints(request: Request, caller: Caller) -> Response:
    """Lists the endpoints that were called, newest first.

    Figures are of `since` ≤ t < `until`: the last 24 hours unless said otherwise, in whole minutes
    (ten minutes after 16 days, hours after 90). Follow `next_cursor` for more.
    """
    problems: Problems = {}
    query = read_query(request, EndpointQuery, problems)
    now = caller.context.clock()
    shown = _read_window(query, now, problems)
    after = read_cursor(query, problems)
    project = await choose_project(caller, problems)
    found = await caller.context.database.read(_find, project.id, query, shown, after, now)
    pages = f"{base_url(request, caller.context)}/p/{project.slug}/endpoints"
    items = [to_endpoint_body(row, found.times[row.endpoint.id], pages) for row in found.rows]
    cursor = None if found.after is None else encode_cursor(found.after)
    return answer_json(EndpointList(items, cursor))


def _read_window(query: EndpointQuery, now: int, problems: Problems) -> Window:
    until = read_until(query, problems)
    until = now if until is None else until
    since = read_since(query, problems)
    since = until - DAY if since is None else since
    if since >= until and not problems.keys() & {"since", "until"}:
        problems["since"] = "must lie before until"
    return Window(*widen_to_kept(since, until, now))


def _find(
    connection: Connection,
    project_id: int,
    query: EndpointQuery,
    shown: Window,
    after: Cursor | None,
    now: int,
) -> Found:
    finder = EndpointFinder(connection, project_id, query.env, query.service, shown, now)
    sums = sorted(finder.sums, key=lambda one: -one.endpoint.id)
    if after is not None:
        sums = [one for one in sums if one.endpoint.id < after.id]
    page = sums[: query.limit]
    last = page[-1].endpoint.id if len(sums) > query.limit else 0
    return Found(
        finder.find_figures(page, {}),
        {
            one.endpoint.id: get_endpoint_times(connection, project_id, one.endpoint.id)
            for one in page
        },
        Cursor(0, last) if last else None,
    )
