"""The overview: requests, errors and durations over time with the deploys between them, and below
what is slow, what is new, what was deployed."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.errors.values import Group
from miniapm.domain.ranges import TimeRange
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import DeployFilter
from miniapm.storage.deploys.markers import Marker, find_markers
from miniapm.storage.deploys.shown import find_shown
from miniapm.storage.errors.find import find_new_groups
from miniapm.storage.impact.shown import find_newest_change
from miniapm.storage.releases import (
    Endpoint,
    find_endpoints,
    find_last_seen,
    find_release_ids,
    find_served_lanes,
)
from miniapm.storage.rollups.series import Point, find_series
from miniapm.storage.rollups.totals import FEW_REQUESTS, Totals, find_slowest, find_totals
from miniapm.web.auth import Caller
from miniapm.web.charts import Charts, make_traffic_charts, tell_ms, tell_part
from miniapm.web.filters import RANGES, PageFilter, find_lane_choices, read_filter
from miniapm.web.pages.no_telemetry import NoTelemetry, find_no_telemetry
from miniapm.web.pages.timeline import Row, tell_row
from miniapm.web.ranges import with_default_range
from miniapm.web.render import render
from miniapm.web.time_zone import find_zone

_SLOWEST = 8
_LATEST = 8
_NEW_ERRORS = 8


@dataclass(frozen=True, slots=True)
class SlowEndpoint:
    """An endpoint and its figures, told; `service` is "" where there is only one."""

    id: int
    name: str
    service: str
    p95: str
    count: int
    failed: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave. `last_seen_at` is None where telemetry never came."""

    last_seen_at: int | None
    points: list[Point]
    totals: Totals | None
    slowest: list[Totals]
    new_errors: list[Group]
    endpoints: Mapping[int, Endpoint]
    markers: list[Marker]
    deploys: tuple[Row, ...]
    lanes: list[tuple[str, str]]
    change: int


@dataclass(frozen=True, slots=True)
class OverviewView:
    """`nothing` is None once telemetry came; `charts` None where there are no figures to draw.

    `poll_seconds` is how soon to look again, 0 for a stretch of the past.
    """

    filter: PageFilter
    envs: tuple[str, ...]
    services: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]
    charts: Charts | None
    last_seen_at: int | None
    slowest: tuple[SlowEndpoint, ...]
    few_requests: int
    new_errors: tuple[Group, ...]
    deploys: tuple[Row, ...]
    nothing: NoTelemetry | None
    change: int
    poll_seconds: int


async def get_overview(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    wanted = await with_default_range(caller, read_filter(request.query_params))
    now = context.clock()
    time_range = wanted.to_time_range(now)
    found = await context.database.read(_find, project.id, wanted, time_range)
    nothing = await find_no_telemetry(request, caller, found.last_seen_at)
    charts = make_traffic_charts(
        found.points, time_range, find_zone(request), now, found.totals, found.markers
    )
    envs, services = find_lane_choices(found.lanes, wanted)
    view = OverviewView(
        filter=wanted.as_shown(),
        envs=envs,
        services=services,
        ranges=RANGES,
        charts=charts if charts.has_data else None,
        last_seen_at=found.last_seen_at,
        slowest=tuple(_tell_slowest(found)),
        few_requests=FEW_REQUESTS,
        new_errors=tuple(found.new_errors),
        deploys=found.deploys,
        nothing=nothing,
        change=found.change,
        poll_seconds=5 if nothing else 60 if wanted.is_open else 0,
    )
    return render(request, caller, "overview.html", view)


def _find(
    connection: Connection, project_id: int, wanted: PageFilter, time_range: TimeRange
) -> Found:
    env, service = wanted.env or None, wanted.service or None
    since, until = time_range.since, time_range.until
    releases = find_release_ids(connection, project_id, env, service)
    whole = find_totals(connection, project_id, releases, since, until, ALL_ENDPOINTS)
    deploys = find_shown(connection, project_id, DeployFilter(env=env, service=service), _LATEST)
    return Found(
        last_seen_at=find_last_seen(connection, project_id),
        points=find_series(connection, project_id, ALL_ENDPOINTS, releases, time_range),
        totals=whole.get(ALL_ENDPOINTS),
        slowest=find_slowest(connection, project_id, releases, since, until, _SLOWEST),
        new_errors=find_new_groups(
            connection, project_id, since, until, _NEW_ERRORS, env=env, service=service
        ),
        endpoints=find_endpoints(connection, project_id),
        markers=find_markers(connection, project_id, env, service, since, until),
        deploys=tuple(tell_row(shown) for shown in deploys.deploys),
        lanes=find_served_lanes(connection, project_id),
        change=find_newest_change(connection, project_id),
    )


def _tell_slowest(found: Found) -> list[SlowEndpoint]:
    one_service = len({endpoint.service for endpoint in found.endpoints.values()}) == 1
    return [
        _tell(found.endpoints[totals.endpoint_id], totals, one_service) for totals in found.slowest
    ]


def _tell(endpoint: Endpoint, totals: Totals, one_service: bool) -> SlowEndpoint:
    return SlowEndpoint(
        id=endpoint.id,
        name=endpoint.name,
        service="" if one_service else endpoint.service,
        p95=tell_ms(totals.p95_us),
        count=totals.count,
        failed=tell_part(totals.failed, totals.count),
    )
