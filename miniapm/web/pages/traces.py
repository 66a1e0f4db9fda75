"""The list of traces: requests one by one, newest or slowest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.ranges import TimeRange
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.releases import (
    Endpoint,
    Release,
    find_endpoints,
    find_last_seen,
    find_releases,
    find_served_lanes,
)
from miniapm.storage.spans.entries import EntryPage
from miniapm.storage.spans.find import find_slowest
from miniapm.storage.spans.recent import find_recent
from miniapm.web.auth import Caller
from miniapm.web.cursors import encode_cursor
from miniapm.web.filters import RANGES, find_lane_choices, kept_query
from miniapm.web.pages.entry_rows import EntryRow, tell_entries
from miniapm.web.pages.no_telemetry import NoTelemetry, find_no_telemetry
from miniapm.web.ranges import with_default_range
from miniapm.web.render import render
from miniapm.web.trace_filter import (
    SORTS,
    STATUSES,
    TraceFilter,
    is_whole_trace,
    read_trace_filter,
)
from miniapm.web.trace_lookup import FoundTraces, find_traces

PAGE_SIZE = 50
_MOST_ENDPOINTS = 200

ListPage = Callable[[Connection, int, TraceFilter, TimeRange], EntryPage]


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave. `last_seen_at` is None where telemetry never came."""

    page: EntryPage
    endpoints: Mapping[int, Endpoint]
    releases: Mapping[int, Release]
    lanes: list[tuple[str, str]]
    last_seen_at: int | None


@dataclass(frozen=True, slots=True)
class TracesView:
    """`found` are the traces by a part of their id, None where that was not asked; spans are kept
    for `kept_for`. `looked_back_to` is None where all of the time was looked through. `problems`
    are what was asked wrongly, by name; nothing is shown then."""

    filter: TraceFilter
    sort: str
    sorts: tuple[tuple[str, str], ...]
    envs: tuple[str, ...]
    services: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]
    trace_statuses: tuple[tuple[str, str], ...]
    endpoints: tuple[Endpoint, ...]
    rows: tuple[EntryRow, ...]
    older: str
    newest: str
    looked_back_to: int | None
    is_whole: bool
    found: FoundTraces | None
    kept_for: str
    last_seen_at: int | None
    nothing: NoTelemetry | None
    problems: Mapping[str, str]


async def get_traces(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    wanted, problems = read_trace_filter(request.query_params)
    if not problems and is_whole_trace(wanted.trace):
        keep = kept_query(request.query_params)
        return RedirectResponse(f"/p/{project.slug}/traces/{wanted.trace}{keep}", 303)
    wanted = wanted._replace(page=await with_default_range(caller, wanted.page))
    time_range = wanted.page.to_time_range(context.clock())
    traces = None
    if wanted.trace and not problems:
        traces = await find_traces(context, project.id, wanted.trace, time_range)
    # what was found by its id stands alone, and what was asked wrongly finds nothing
    list_page = _find_none if problems or traces is not None else _find_page
    found = await context.database.read(_find, project.id, wanted, time_range, list_page)
    nothing = await find_no_telemetry(request, caller, found.last_seen_at)
    kept_for = context.config.retention.spans
    view = _make_view(wanted, time_range, found, traces, kept_for, nothing, problems)
    return render(request, caller, "traces.html", view, 400 if problems else 200)


def _make_view(
    wanted: TraceFilter,
    time_range: TimeRange,
    found: Found,
    traces: FoundTraces | None,
    kept_for: str,
    nothing: NoTelemetry | None,
    problems: Mapping[str, str],
) -> TracesView:
    page, after = found.page, found.page.after
    entries = page.entries if traces is None else traces.entries
    envs, services = find_lane_choices(found.lanes, wanted.page)
    return TracesView(
        filter=wanted.as_shown(),
        sort=wanted.sort or "recent",
        sorts=SORTS,
        envs=envs,
        services=services,
        ranges=RANGES,
        trace_statuses=_list_statuses(wanted.status),
        endpoints=_list_endpoints(found.endpoints, wanted),
        rows=tell_entries(entries, found.endpoints, found.releases),
        older=wanted.query(cursor=encode_cursor(Cursor(*after))) if after is not None else "",
        newest=wanted.query(cursor="") if wanted.page.cursor else "",
        looked_back_to=page.looked_back_to if page.looked_back_to > time_range.since else None,
        is_whole=page.is_whole,
        found=traces,
        kept_for=kept_for,
        last_seen_at=found.last_seen_at,
        nothing=nothing,
        problems=problems,
    )


def _find(
    connection: Connection,
    project_id: int,
    wanted: TraceFilter,
    time_range: TimeRange,
    list_page: ListPage,
) -> Found:
    return Found(
        page=list_page(connection, project_id, wanted, time_range),
        endpoints=find_endpoints(connection, project_id),
        releases={release.id: release for release in find_releases(connection, project_id)},
        lanes=find_served_lanes(connection, project_id),
        last_seen_at=find_last_seen(connection, project_id),
    )


def _find_page(
    connection: Connection, project_id: int, wanted: TraceFilter, time_range: TimeRange
) -> EntryPage:
    find = find_slowest if wanted.sort == "slow" else find_recent
    entries = wanted.to_entries(time_range.since, time_range.until)
    return find(connection, project_id, entries, PAGE_SIZE, wanted.to_cursor())


def _find_none(
    connection: Connection, project_id: int, wanted: TraceFilter, time_range: TimeRange
) -> EntryPage:
    return EntryPage([], None, time_range.since, is_whole=True)


def _list_statuses(chosen: str) -> tuple[tuple[str, str], ...]:
    own = ((chosen, chosen),) if chosen and chosen not in dict(STATUSES) else ()
    return STATUSES + own


def _list_endpoints(endpoints: Mapping[int, Endpoint], wanted: TraceFilter) -> tuple[Endpoint, ...]:
    """What the menu offers: those of the service, and the one that is chosen."""
    service = wanted.page.service
    offered = [e for e in endpoints.values() if not service or e.service == service]
    offered = sorted(offered, key=lambda endpoint: (endpoint.name, endpoint.service))
    offered = offered[:_MOST_ENDPOINTS]
    chosen = endpoints.get(int(wanted.endpoint)) if wanted.endpoint else None
    if chosen is not None and chosen not in offered:
        offered.insert(0, chosen)
    return tuple(offered)
