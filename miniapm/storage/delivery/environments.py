"""What is live where, and since when."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.values import Deploy, Lane
from miniapm.domain.impact.values import StoredVerdict
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.delivery.differences import Difference, compare_lanes
from miniapm.storage.deploys.find import find_lanes, find_live
from miniapm.storage.impact.verdicts import find_verdicts


class Place(NamedTuple):
    """What is live in an environment, and since when. `ahead` are the commits that production
    lacks, `behind` those that it has before; None in production itself and where there is none."""

    live: Deploy
    since: int
    verdict: StoredVerdict | None
    is_production: bool
    ahead: Difference | None
    behind: Difference | None


class ServicePlaces(NamedTuple):
    """A service and where it is, production first. `compared_with` is the environment that the
    others are compared with; None where none of production's names is there."""

    service: str
    compared_with: str | None
    places: tuple[Place, ...]


def find_places(
    connection: Connection,
    project_id: int,
    rules: DeliveryRules,
    env: str | None = None,
    service: str | None = None,
) -> list[ServicePlaces]:
    """By service; `env` and `service` narrow what is listed, not what it is compared with."""
    by_service: dict[str, list[Lane]] = {}
    for its_service, its_env in find_lanes(connection, project_id):
        if service in (None, its_service):
            lane = Lane(project_id, its_service, its_env)
            by_service.setdefault(its_service, []).append(lane)
    found = []
    for lanes in by_service.values():
        lanes.sort(key=lambda lane: (rules.rank(lane.env), lane.env))
        told = _find_service(connection, lanes, env, rules)
        if told.places:
            found.append(told)
    return found


def _find_service(
    connection: Connection, lanes: Sequence[Lane], env: str | None, rules: DeliveryRules
) -> ServicePlaces:
    live = {lane: deploys[0] for lane in lanes if (deploys := find_live(connection, lane, 1))}
    base = next((lane for lane in live if rules.is_production(lane.env)), None)
    ids = [deploy.id for deploy in live.values()]
    verdicts = find_verdicts(connection, lanes[0].project_id, ids) if ids else {}
    return ServicePlaces(
        lanes[0].service,
        base.env if base else None,
        tuple(
            Place(
                live=deploy,
                since=_find_since(connection, lane, deploy),
                verdict=verdicts.get(deploy.id),
                is_production=rules.is_production(lane.env),
                ahead=_compare(connection, lane, base, live),
                behind=_compare(connection, base, lane, live),
            )
            for lane, deploy in live.items()
            if env in (None, lane.env)
        ),
    )


def _compare(
    connection: Connection, lane: Lane | None, other: Lane | None, live: Mapping[Lane, Deploy]
) -> Difference | None:
    if lane is None or other is None or lane == other:
        return None
    return compare_lanes(connection, lane, other, live)


def _find_since(connection: Connection, lane: Lane, deploy: Deploy) -> int:
    """When the sha that is live went live: redeploys only put it out again."""
    values = {**lane._asdict(), "git_sha": deploy.git_sha}
    other = scalar(
        connection,
        """/* environments.find_other */ select max(deployed_at) from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and git_sha <> :git_sha""",
        **values,
    )
    since = scalar(
        connection,
        """/* environments.find_since */ select min(deployed_at) from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and status = 'succeeded' and hidden_at is null
            and is_left_out = 0 and deployed_at >= :after""",
        **values,
        after=other or 0,
    )
    return int(since or deploy.deployed_at)
