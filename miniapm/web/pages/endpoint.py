"""One endpoint: its figures over time with the deploys between them, how its durations are spread,
its versions side by side, where its time goes, and calls to look at."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.histograms import Buckets
from miniapm.domain.ids import parse_id
from miniapm.domain.ranges import TimeRange
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.markers import Marker, find_markers
from miniapm.storage.endpoints.sums import EndpointTimes, get_endpoint, get_endpoint_times
from miniapm.storage.releases import Endpoint, Release, find_releases
from miniapm.storage.rollups.series import Point, find_series
from miniapm.storage.rollups.totals import Totals, find_histogram, find_release_totals, find_totals
from miniapm.storage.spans.entries import FoundEntry
from miniapm.storage.spans.find import find_examples
from miniapm.web.auth import Caller
from miniapm.web.charts import Charts, make_traffic_charts, tell_ms, tell_part
from miniapm.web.distributions import Distribution, make_distribution
from miniapm.web.filters import RANGES, PageFilter, find_choices, read_filter
from miniapm.web.pages.deploy_words import tell_version
from miniapm.web.pages.endpoint_time import TimePart, make_time_chart, split_time
from miniapm.web.ranges import with_default_range
from miniapm.web.render import render
from miniapm.web.time_zone import Zone, find_zone
from miniapm.web.times import tell_short

_EXAMPLES = 10
_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class VersionRow:
    """What one release did with this endpoint, told. `deploy_id` is 0 where none is known."""

    name: str
    revision: str
    env: str
    calls: str
    errors: str
    p50: str
    p95: str
    first_seen_at: int
    deploy_id: int


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One call, told. `trace_id` is "" where it came without a trace."""

    at: int
    duration: str
    failed: bool
    status: str
    version: str
    env: str
    trace_id: str


class Found(NamedTuple):
    """What one look at the database gave."""

    endpoint: Endpoint
    times: EndpointTimes
    releases: dict[int, Release]
    points: list[Point]
    totals: Totals | None
    by_release: dict[int, Totals]
    buckets: Buckets
    markers: list[Marker]
    slow: list[FoundEntry]
    failed: list[FoundEntry]
    envs: list[str]


@dataclass(frozen=True, slots=True)
class EndpointView:
    """`totals` is None where the endpoint was not called in this time. `has_envs`: what is shown
    may be of several environments."""

    filter: PageFilter
    envs: tuple[str, ...]
    has_envs: bool
    ranges: tuple[tuple[str, str], ...]
    endpoint: Endpoint
    first_seen: Markup
    last_seen: Markup
    totals: Totals | None
    charts: Charts
    distribution: Distribution | None
    parts: tuple[TimePart, ...]
    versions: tuple[VersionRow, ...]
    more_versions: int
    slow: tuple[ExampleRow, ...]
    failed: tuple[ExampleRow, ...]


async def get_endpoint_page(request: Request, caller: Caller) -> Response:
    context = caller.context
    endpoint_id = parse_id(request.path_params["id"])
    if endpoint_id is None:
        raise NotFound("There is no such endpoint.")
    wanted = await with_default_range(caller, read_filter(request.query_params))
    now = context.clock()
    time_range = wanted.to_time_range(now)
    found = await context.database.read(
        _find, caller.its_project.id, endpoint_id, wanted.env or None, time_range
    )
    view = _make_view(found, wanted, time_range, find_zone(request), now)
    return render(request, caller, "endpoint.html", view)


def _find(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    env: str | None,
    time_range: TimeRange,
) -> Found:
    endpoint = get_endpoint(connection, project_id, endpoint_id)
    since, until = time_range.since, time_range.until
    releases = find_releases(connection, project_id, service=endpoint.service)
    ids: Collection[int] | None = None
    if env is not None:
        ids = frozenset(release.id for release in releases if release.env == env)

    def find_calls(kind: Literal["slow", "failed"]) -> list[FoundEntry]:
        return find_examples(
            connection, project_id, endpoint_id, ids, since, until, kind, _EXAMPLES
        )

    return Found(
        endpoint=endpoint,
        times=get_endpoint_times(connection, project_id, endpoint_id),
        releases={release.id: release for release in releases},
        points=find_series(connection, project_id, endpoint_id, ids, time_range),
        totals=find_totals(connection, project_id, ids, since, until, endpoint_id).get(endpoint_id),
        by_release=find_release_totals(connection, project_id, ids, since, until, endpoint_id),
        buckets=find_histogram(connection, project_id, endpoint_id, ids, since, until),
        markers=find_markers(connection, project_id, env, endpoint.service, since, until),
        slow=find_calls("slow"),
        failed=find_calls("failed"),
        envs=[release.env for release in releases],
    )


def _make_view(
    found: Found, wanted: PageFilter, time_range: TimeRange, zone: Zone, now: int
) -> EndpointView:
    charts = make_traffic_charts(found.points, time_range, zone, now, found.totals, found.markers)
    time_chart = make_time_chart(found.points, time_range, zone, now)
    versions = _tell_versions(found)
    return EndpointView(
        filter=wanted.as_shown(),
        envs=find_choices(found.envs, wanted.env),
        has_envs=not wanted.env and len(set(found.envs)) > 1,
        ranges=RANGES,
        endpoint=found.endpoint,
        first_seen=tell_short(found.times.first_seen_at, zone),
        last_seen=tell_short(found.times.last_seen_at, zone),
        totals=found.totals,
        charts=replace(charts, charts=(*charts.charts, time_chart)),
        distribution=make_distribution(found.buckets),
        parts=split_time(found.totals) if found.totals is not None else (),
        versions=versions[:_VERSIONS],
        more_versions=max(0, len(versions) - _VERSIONS),
        slow=_tell_examples(found.slow, found.releases),
        failed=_tell_examples(found.failed, found.releases),
    )


def _tell_versions(found: Found) -> tuple[VersionRow, ...]:
    """Newest first."""
    served = sorted(
        (found.releases[release_id] for release_id in found.by_release),
        key=lambda release: (-release.first_seen_at, -release.id),
    )
    return tuple(_tell_version(release, found.by_release[release.id]) for release in served)


def _tell_version(release: Release, totals: Totals) -> VersionRow:
    return VersionRow(
        name=tell_version(release),
        revision=release.revision[:7] if release.version else "",
        env=release.env,
        calls=f"{totals.count:,}",
        errors=tell_part(totals.failed, totals.count),
        p50=tell_ms(totals.p50_us),
        p95=tell_ms(totals.p95_us),
        first_seen_at=release.first_seen_at,
        deploy_id=release.deploy_id or 0,
    )


def _tell_examples(
    entries: Sequence[FoundEntry], releases: dict[int, Release]
) -> tuple[ExampleRow, ...]:
    return tuple(_tell_example(entry, releases[entry.release_id]) for entry in entries)


def _tell_example(entry: FoundEntry, release: Release) -> ExampleRow:
    return ExampleRow(
        at=entry.started_at,
        duration=tell_ms(entry.duration_us),
        failed=entry.failed,
        status=str(entry.status_code) if entry.status_code is not None else "",
        version=tell_version(release),
        env=release.env,
        trace_id=entry.trace_id.hex() if entry.trace_id is not None else "",
    )
