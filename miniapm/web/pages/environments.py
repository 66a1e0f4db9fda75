"""The environments page: what is live where, since when, and what production lacks of it."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.repositories import Repository, read_repository
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.differences import Difference
from miniapm.storage.delivery.environments import Place, ServicePlaces, find_places
from miniapm.storage.deploys.find import find_lanes
from miniapm.storage.impact.shown import find_newest_change
from miniapm.web.auth import Caller
from miniapm.web.filters import PageFilter, find_lane_choices, read_filter
from miniapm.web.pages.delivery_words import tell_count
from miniapm.web.pages.deploy_words import first_line, is_production
from miniapm.web.pages.empty import EmptyState, find_empty_state
from miniapm.web.render import render
from miniapm.web.verdicts import Mark, tell_mark

_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class ListedCommit:
    """A commit that is in one environment alone."""

    short: str
    sha: str
    link: str
    message: str
    author: str


@dataclass(frozen=True, slots=True)
class ToldDifference:
    """How many commits, in words; the first of them, and how many `more` there are."""

    words: str
    commits: tuple[ListedCommit, ...]
    more: int


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """What is live in one environment."""

    id: int
    name: str
    env: str
    is_production: bool
    since: int
    deployer: str
    mark: Mark | None
    ahead: ToldDifference | None
    behind: ToldDifference | None


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
    repository = read_repository(deploy.repository)
    return PlaceRow(
        id=deploy.id,
        name=deploy.name,
        env=deploy.env,
        is_production=is_production(deploy.env) or place.is_production,
        since=place.since,
        deployer=deploy.deployer or "",
        mark=tell_mark(place.verdict),
        ahead=_tell_difference(place.ahead, f"ahead of {compared_with}", repository),
        behind=_tell_behind(place, compared_with, repository),
    )


def _tell_behind(
    place: Place, compared_with: str, repository: Repository | None
) -> ToldDifference | None:
    """Only where it is behind for certain: that it is not goes without saying."""
    behind = place.behind
    if behind is None or not behind.is_known or not behind.commits:
        return None
    return _tell_difference(behind, f"behind {compared_with}", repository)


def _tell_difference(
    found: Difference | None, how: str, repository: Repository | None
) -> ToldDifference | None:
    if found is None:
        return None
    count = len(found.commits)
    if not found.is_known:
        known = f"; {tell_count(count, 'commit')} known" if count else ""
        words = f"how far {how} is unknown{known}"
    else:
        words = f"{tell_count(count, 'commit')} {how}" if count else f"nothing {how}"
    return ToldDifference(
        words,
        tuple(
            ListedCommit(
                short=commit.sha[:7] if len(commit.sha) >= 40 else commit.sha[:20],
                sha=commit.sha,
                link=(repository.commit_link(commit.sha) if repository else None) or "",
                message=first_line(commit.message),
                author=commit.author or "",
            )
            for commit in found.commits[:_MOST_LISTED]
        ),
        max(0, count - _MOST_LISTED),
    )
