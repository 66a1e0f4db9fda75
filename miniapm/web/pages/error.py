"""The page of one error: how often and since when, in which releases, and an occurrence whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.errors.values import Group
from miniapm.domain.ids import parse_id
from miniapm.domain.ranges import TimeRange
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.markers import Marker, find_markers
from miniapm.storage.deploys.surroundings import find_live_at
from miniapm.storage.errors.counts import SeenRelease, find_seen_releases, sum_counts
from miniapm.storage.errors.find import (
    FoundGroup,
    FoundRelease,
    find_releases_by_id,
    get_found_group,
)
from miniapm.storage.errors.occurrences import (
    KEPT_FIRST,
    KEPT_LATEST,
    KEPT_PER_MINUTE,
    Kept,
    find_occurrence_ids,
    get_occurrence,
)
from miniapm.storage.releases import find_release_ids
from miniapm.web.auth import Caller
from miniapm.web.charts import ChartMaker, Charts, Series, find_begun
from miniapm.web.filters import RANGES, PageFilter, find_choices, read_filter
from miniapm.web.pages.deploy_words import tell_release
from miniapm.web.pages.error_words import tell_state
from miniapm.web.pages.occurrence import ShownOccurrence, tell_occurrence
from miniapm.web.ranges import with_default_range
from miniapm.web.render import render
from miniapm.web.time_zone import find_zone

_MOST_RELEASES = 20


@dataclass(frozen=True, slots=True)
class DeployLink:
    """A deploy by its name."""

    id: int
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release in which the error was seen. `commit` is "" where it has a version; both are where
    nothing is known."""

    version: str
    commit: str
    env: str
    deploy_id: int | None
    count: int
    first_seen_at: int
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave."""

    group: FoundGroup
    counts: list[int]
    markers: list[Marker]
    seen: list[SeenRelease]
    names: Mapping[int, FoundRelease]
    ids: list[int]
    kept: Kept | None
    first_deploy: Deploy | None
    back_deploy: Deploy | None


@dataclass(frozen=True, slots=True)
class ErrorView:
    """`first_deploy` was live when the error was first seen, `back_deploy` when it came back."""

    filter: PageFilter
    envs: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]
    group: Group
    group_envs: tuple[str, ...]
    mark: str
    charts: Charts
    count: int
    releases: tuple[ReleaseRow, ...]
    shown: ShownOccurrence | None
    first_deploy: DeployLink | None
    back_deploy: DeployLink | None
    may_change: bool
    kept_per_minute: int = KEPT_PER_MINUTE
    kept_first: int = KEPT_FIRST
    kept_latest: int = KEPT_LATEST


async def get_error_page(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    wanted = await with_default_range(caller, read_filter(request.query_params))
    now = context.clock()
    time_range = wanted.to_time_range(now)
    found = await context.database.read(
        _find, project.id, group_id_of(request), wanted, time_range, _occurrence_of(request)
    )
    group = found.group.group
    view = ErrorView(
        filter=wanted.as_shown(),
        envs=find_choices(found.group.envs, wanted.env),
        ranges=RANGES,
        group=group,
        group_envs=tuple(found.group.envs),
        mark=tell_state(group),
        charts=_draw(found, time_range, request, now),
        count=sum(found.counts),
        releases=tuple(_tell_release(seen, found.names) for seen in found.seen),
        shown=None if found.kept is None else tell_occurrence(found.kept, found.ids),
        first_deploy=_link(found.first_deploy),
        back_deploy=_link(found.back_deploy),
        may_change=caller.may("member"),
    )
    return render(request, caller, "error_group.html", view)


def group_id_of(request: Request) -> int:
    """The id in the address; NotFound when it cannot be one."""
    group_id = parse_id(request.path_params["id"])
    if group_id is None:
        raise NotFound("There is no such error in this project.")
    return group_id


def _occurrence_of(request: Request) -> int | None:
    """The occurrence that is asked for; None for the latest."""
    text = request.query_params.get("occurrence", "")
    occurrence_id = parse_id(text)
    if text and occurrence_id is None:
        raise NotFound("There is no such occurrence of this error.")
    return occurrence_id


def _find(
    connection: Connection,
    project_id: int,
    group_id: int,
    wanted: PageFilter,
    time_range: TimeRange,
    occurrence_id: int | None,
) -> Found:
    found = get_found_group(connection, project_id, group_id)
    group = found.group
    env = wanted.env or None
    seen = find_seen_releases(connection, project_id, group_id, _MOST_RELEASES)
    ids = find_occurrence_ids(connection, project_id, group_id)
    chosen = occurrence_id if occurrence_id is not None else ids[-1] if ids else None
    back = group.regressed_deploy_id
    counts = sum_counts(
        connection,
        project_id,
        [group_id],
        time_range.starts,
        time_range.resolution_minutes,
        find_release_ids(connection, project_id, env, None),
    )
    return Found(
        group=found,
        counts=counts[group_id],
        markers=find_markers(
            connection, project_id, env, group.service, time_range.since, time_range.until
        ),
        seen=seen,
        names=find_releases_by_id(connection, project_id, (r.release_id for r in seen)),
        ids=ids,
        kept=None if chosen is None else get_occurrence(connection, project_id, group_id, chosen),
        first_deploy=find_live_at(
            connection,
            project_id,
            group.service,
            found.first_release.env,
            group.first_seen_at,
        ),
        back_deploy=None if back is None else get_deploy(connection, project_id, back),
    )


def _draw(found: Found, time_range: TimeRange, request: Request, now: int) -> Charts:
    make = ChartMaker(time_range, find_zone(request))
    counts, begun = found.counts, find_begun(time_range, now)
    shown: list[float | None] = [*counts]
    if begun and counts[begun] < counts[begun - 1]:
        # what has just begun would look like the end of it
        shown[begun] = None
    line = Series("occurrences", shown, "fill")
    total = f"{sum(found.counts):,} in all"
    chart = make.chart("occurrences", "Occurrences", "in each step", [line], total)
    return make.together([chart], found.markers)


def _tell_release(seen: SeenRelease, names: Mapping[int, FoundRelease]) -> ReleaseRow:
    release = names.get(seen.release_id, FoundRelease())
    return ReleaseRow(
        version=release.version,
        commit="" if release.version else tell_release("", release.revision),
        env=release.env,
        deploy_id=release.deploy_id,
        count=seen.total,
        first_seen_at=seen.first_seen_at,
        last_seen_at=seen.last_seen_at,
    )


def _link(deploy: Deploy | None) -> DeployLink | None:
    return None if deploy is None else DeployLink(deploy.id, deploy.name, deploy.deployed_at)
