"""The endpoints of a project in one table: how often, how long, how many failed, and what the last
deploy did to the p95."""

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.percents import tell_change
from miniapm.domain.ranges import TimeRange
from miniapm.domain.spans.comparisons import MIN_CALLS, Change, Window
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.markers import Marker
from miniapm.storage.endpoints.find import (
    EndpointFigures,
    EndpointFilter,
    EndpointPage,
    find_endpoint_page,
)
from miniapm.storage.releases import find_last_seen, find_release_ids, find_served_lanes
from miniapm.storage.rollups.series import find_sparklines
from miniapm.web.auth import Caller
from miniapm.web.charts import NO_VALUE, tell_ms, tell_part
from miniapm.web.endpoint_queries import COLUMNS, EndpointsQuery, read_endpoints_query
from miniapm.web.filters import RANGES, PageFilter, find_lane_choices
from miniapm.web.pages.no_telemetry import NoTelemetry, find_no_telemetry
from miniapm.web.ranges import with_default_range
from miniapm.web.render import render
from miniapm.web.sparklines import draw_sparkline
from miniapm.web.times import tell_duration

SLIGHT_US = 5000
"""A change of less is told, but not made much of."""


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint, told. `sides` is how many calls stand behind `change`, before and since;
    `is_slight` where it is too little to matter."""

    id: int
    name: str
    service: str
    calls: str
    spark: Markup
    share: str
    time: str
    p50: str
    p95: str
    p99: str
    errors: str
    change: str
    is_slight: bool
    sides: str
    hint: str


class Heading(NamedTuple):
    """A column: its words, what they mean, where it is sorted by, and how it is (aria-sort)."""

    words: str
    hint: str
    link: str
    sorted: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave. `last_seen_at` is None where telemetry never came."""

    page: EndpointPage
    sparklines: dict[int, list[int]]
    lanes: list[tuple[str, str]]
    last_seen_at: int | None


@dataclass(frozen=True, slots=True)
class EndpointsView:
    """`first` and `last` count the rows shown among `total`; `earlier` and `later` are queries of
    this page, "" where there is none."""

    filter: PageFilter
    query: EndpointsQuery
    envs: tuple[str, ...]
    services: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]
    headings: tuple[Heading, ...]
    rows: tuple[EndpointRow, ...]
    deploys: tuple[Marker, ...]
    min_calls: int
    slight_ms: int
    first: int
    last: int
    total: int
    earlier: str
    later: str
    last_seen_at: int | None
    nothing: NoTelemetry | None


async def get_endpoints(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    query = read_endpoints_query(request.query_params)
    query = query._replace(filter=await with_default_range(caller, query.filter))
    now = context.clock()
    time_range = query.filter.to_time_range(now)
    found = await context.database.read(_find, project.id, query, time_range, now)
    nothing = await find_no_telemetry(request, caller, found.last_seen_at)
    return render(request, caller, "endpoints.html", _make_view(query, found, nothing))


def _find(
    connection: Connection, project_id: int, query: EndpointsQuery, time_range: TimeRange, now: int
) -> Found:
    wanted = query.filter
    env, service = wanted.env or None, wanted.service or None
    page = find_endpoint_page(
        connection,
        project_id,
        EndpointFilter(env, service, wanted.q or None),
        query.to_order(),
        Window(time_range.since, time_range.until),
        now,
    )
    releases = find_release_ids(connection, project_id, env, service)
    shown = [row.endpoint.id for row in page.rows]
    sparklines = find_sparklines(connection, project_id, releases, time_range, shown)
    return Found(
        page=page,
        sparklines={key: _leave_out_begun(c, time_range, now) for key, c in sparklines.items()},
        lanes=find_served_lanes(connection, project_id),
        last_seen_at=find_last_seen(connection, project_id),
    )


def _leave_out_begun(counts: list[int], time_range: TimeRange, now: int) -> list[int]:
    """Without the step that is not over: it would look like a fall."""
    return counts[:-1] if time_range.until > now and len(counts) > 2 else counts


def _make_view(query: EndpointsQuery, found: Found, nothing: NoTelemetry | None) -> EndpointsView:
    wanted, page = query.filter, found.page
    first = query.offset + 1
    last = query.offset + len(page.rows)
    deploys = {row.deploy.id: row.deploy for row in page.rows if row.deploy is not None}
    envs, services = find_lane_choices(found.lanes, wanted)
    return EndpointsView(
        filter=wanted.as_shown(),
        query=query,
        envs=envs,
        services=services,
        ranges=RANGES,
        headings=tuple(
            Heading(
                column.words,
                column.hint,
                query.sorted_by(column.sort),
                query.is_sorted_by(column.sort),
            )
            for column in COLUMNS
        ),
        rows=tuple(
            _tell(row, page, found.sparklines.get(row.endpoint.id, [])) for row in page.rows
        ),
        deploys=tuple(sorted(deploys.values(), key=lambda deploy: -deploy.at)),
        min_calls=MIN_CALLS,
        slight_ms=SLIGHT_US // 1000,
        first=first,
        last=last,
        total=page.total,
        earlier=query.at_page(query.page - 1) if query.page > 1 else "",
        later=query.at_page(query.page + 1) if last < page.total else "",
        last_seen_at=found.last_seen_at,
        nothing=nothing,
    )


def _tell(row: EndpointFigures, page: EndpointPage, counts: list[int]) -> EndpointRow:
    change = row.change
    return EndpointRow(
        id=row.endpoint.id,
        name=row.endpoint.name,
        service=row.endpoint.service,
        calls=f"{row.calls:,}",
        spark=draw_sparkline(counts),
        share=tell_part(row.duration_us, page.duration_us),
        time=tell_duration(row.duration_us),
        p50=tell_ms(row.p50_us),
        p95=tell_ms(row.p95_us),
        p99=tell_ms(row.p99_us),
        errors=tell_part(row.failed, row.calls),
        change=NO_VALUE if change is None or change.share is None else tell_change(change.share),
        is_slight=change is not None and _is_slight(change),
        sides=f"{change.before_calls:,} / {change.after_calls:,}" if change is not None else "",
        hint=_explain(change),
    )


def _is_slight(change: Change) -> bool:
    before, after = change.before_p95_us, change.after_p95_us
    return before is not None and after is not None and abs(after - before) < SLIGHT_US


def _explain(change: Change | None) -> str:
    if change is None:
        return ""
    if change.share is None:
        return "too few calls"
    return f"{tell_ms(change.before_p95_us)} before, {tell_ms(change.after_p95_us)} since"
