"""The environments page: what is live where, since when, and what production lacks of it."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.counts import tell_count
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.repositories import Repository, read_repository
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.differences import Difference
from miniapm.storage.delivery.environments import Place, ServicePlaces, find_places
from miniapm.storage.deploys.find import find_lanes
from miniapm.storage.impact.shown import find_newest_change
from miniapm.web.auth import Caller
from miniapm.web.filters import PageFilter, find_lane_choices, read_filter
from miniapm.web.pages.commit_lines import CommitLine, tell_commit
from miniapm.web.pages.empty import EmptyState, find_empty_state
from miniapm.web.render import render
from miniapm.web.verdicts import Mark, tell_mark

_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class ToldDifference:
    """How many commits, in words; the first of them, and how many `more` there are."""

    words: str
    commits: tuple[CommitLine, ...]
    more: int


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """What is live in one environment; `differences` are those from production, none in itself."""

    id: int
    name: str
    env: str
    since: int
    deployer: str
    mark: Mark | None
    differences: tuple[ToldDifference, ...]


@dataclass(frozen=True, slots=True)
class ServiceView:
    """`compared_with` is the environment that the others are compared with, "" for none."""

    name: str
    compared_with: str
    rows: tuple[PlaceRow, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave."""

    services: list[ServicePlaces]
    lanes: list[tuple[str, str]]
    change: int


@dataclass(frozen=True, slots=True)
class EnvironmentsView:
    """`shown` are the services with what is live; `empty` is set where nothing ever was sent."""

    filter: PageFilter
    envs: tuple[str, ...]
    services: tuple[str, ...]
    shown: tuple[ServiceView, ...]
    change: int
    empty: EmptyState | None


async def get_environments(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    wanted = read_filter(request.query_params)
    rules = context.config.delivery_rules
    found = await context.database.read(_find, project.id, wanted, rules)
    envs, services = find_lane_choices(found.lanes, wanted)
    view = EnvironmentsView(
        filter=wanted,
        envs=envs,
        services=services,
        shown=tuple(_tell_service(one) for one in found.services),
        change=found.change,
        empty=None if found.lanes else await find_empty_state(request, caller),
    )
    return render(request, caller, "environments.html", view)


def _find(
    connection: Connection, project_id: int, wanted: PageFilter, rules: DeliveryRules
) -> Found:
    env, service = wanted.env or None, wanted.service or None
    return Found(
        find_places(connection, project_id, rules, env, service),
        find_lanes(connection, project_id),
        find_newest_change(connection, project_id),
    )


def _tell_service(found: ServicePlaces) -> ServiceView:
    rows = tuple(_tell_place(place, found.compared_with or "") for place in found.places)
    return ServiceView(found.service, found.compared_with or "", rows)


def _tell_place(place: Place, compared_with: str) -> PlaceRow:
    deploy = place.live
    return PlaceRow(
        id=deploy.id,
        name=deploy.name,
        env=deploy.env,
        since=place.since,
        deployer=deploy.deployer or "",
        mark=tell_mark(place.verdict),
        differences=_tell_differences(place, compared_with),
    )


def _tell_differences(place: Place, compared_with: str) -> tuple[ToldDifference, ...]:
    """Ahead, and behind where that is not known to be nothing: this goes without saying."""
    ahead, behind = place.ahead, place.behind
    if ahead is None or behind is None:
        return ()
    if ahead == behind == Difference(False):
        return (ToldDifference(f"how far from {compared_with} is unknown", (), 0),)
    repository = read_repository(place.live.repository)
    told = _tell_difference(ahead, f"ahead of {compared_with}", repository)
    if behind == Difference(True):
        return (told,)
    return (told, _tell_difference(behind, f"behind {compared_with}", repository))


def _tell_difference(found: Difference, how: str, repository: Repository | None) -> ToldDifference:
    count = len(found.commits)
    if count:
        words = f"{'' if found.is_known else 'at least '}{tell_count(count, 'commit')} {how}"
    else:
        words = f"nothing {how}" if found.is_known else f"how far {how} is unknown"
    return ToldDifference(
        words,
        tuple(tell_commit(commit, repository) for commit in found.commits[:_MOST_LISTED]),
        max(0, count - _MOST_LISTED),
    )
