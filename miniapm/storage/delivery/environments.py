"""What is live where, and what one environment has that another lacks."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.domain.impact.values import StoredVerdict
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.delivery.lanes import Lane
from miniapm.storage.deploys.find import find_lanes
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.impact.verdicts import find_verdicts

MOST_DEPLOYS = 100
MOST_COMMITS = 500


class Difference(NamedTuple):
    """The commits that one environment has and another lacks, the newest first. `is_known` is False
    where that cannot be told: then there may be more, or others."""

    is_known: bool
    commits: tuple[Commit, ...] = ()


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
    live = {lane: deploys[0] for lane in lanes if (deploys := _find_live(connection, lane, 1))}
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
                behind=_compare(connection, base, lane, live, is_base=lane == base),
            )
            for lane, deploy in live.items()
            if env in (None, lane.env)
        ),
    )


def _compare(
    connection: Connection,
    lane: Lane | None,
    other: Lane | None,
    live: dict[Lane, Deploy],
    *,
    is_base: bool = False,
) -> Difference | None:
    if lane is None or other is None or lane == other or is_base:
        return None
    if live[lane].git_sha == live[other].git_sha:
        return Difference(True)
    pushed = _compare_pushes(connection, live[lane], live[other])
    return pushed or _compare_deploys(connection, lane, other)


def _find_live(connection: Connection, lane: Lane, most: int) -> list[Deploy]:
    """The live deploys of `lane`, the newest first."""
    rows = connection.execute(
        f"""/* environments.find_live */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
        order by deployed_at desc, id desc limit :most""",
        {**lane._asdict(), "most": most},
    ).fetchall()
    return to_deploys(connection, lane.project_id, rows)


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


def _compare_deploys(connection: Connection, lane: Lane, other: Lane) -> Difference:
    """What the deploys of `lane` brought since the last of them whose sha was live in `other` too,
    without what `other` has by another way."""
    commits: dict[str, Commit] = {}
    live = _find_live(connection, lane, MOST_DEPLOYS)
    for deploy, older in zip_longest(live, live[1:]):
        if _was_live(connection, other, deploy.git_sha):
            return Difference(True, _lacking(connection, other, commits))
        brought = _find_commits(connection, deploy)
        # a redeploy brings nothing, and nothing is lost by that
        if not brought and (older is None or older.git_sha != deploy.git_sha):
            break
        for commit in brought:
            commits.setdefault(commit.sha, commit)
    return Difference(False, _lacking(connection, other, commits))


def _was_live(connection: Connection, lane: Lane, sha: str) -> bool:
    found = scalar(
        connection,
        """/* environments.was_live */ select 1 from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and status = 'succeeded' and hidden_at is null
            and is_left_out = 0 limit 1""",
        **lane._asdict(),
        git_sha=sha,
    )
    return found is not None


def _find_commits(connection: Connection, deploy: Deploy) -> list[Commit]:
    rows = connection.execute(
        """/* environments.find_commits */ select sha, committed_at, message, author
        from deploy_commits where project_id = :project_id and deploy_id = :deploy_id
            and is_approximate = 0
        order by coalesce(committed_at, 0) desc, position, sha limit :most""",
        {"project_id": deploy.project_id, "deploy_id": deploy.id, "most": MOST_COMMITS},
    )
    return [Commit(*row) for row in rows]


def _lacking(connection: Connection, lane: Lane, commits: dict[str, Commit]) -> tuple[Commit, ...]:
    """Those of `commits` that no live deploy of `lane` brought."""
    return tuple(
        commit
        for commit in list(commits.values())[:MOST_COMMITS]
        if scalar(
            connection,
            """/* environments.was_brought */ select 1
            from deploy_commits c cross join deploys d
            where c.project_id = :project_id and c.sha = :sha and d.id = c.deploy_id
                and d.project_id = :project_id and d.service = :service and d.env = :env
                and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0
            limit 1""",
            **lane._asdict(),
            sha=commit.sha,
        )
        is None
    )


class _Push(NamedTuple):
    repository: str
    branch: str
    position: int


def _compare_pushes(connection: Connection, deploy: Deploy, other: Deploy) -> Difference | None:
    """The commits of a branch between the two; None where pushes told of neither or of one."""
    head, base = _find_push(connection, deploy), _find_push(connection, other)
    if head is None or base is None or head[:2] != base[:2]:
        return None
    rows = connection.execute(
        """/* environments.find_pushed */ select sha, committed_at, message, author
        from pushed_commits
        where project_id = :project_id and repository = :repository and branch = :branch
            and position > :after and position <= :position
        order by position desc limit :most""",
        {
            "project_id": deploy.project_id,
            "after": base.position,
            "most": MOST_COMMITS,
            **head._asdict(),
        },
    )
    return Difference(True, tuple(Commit(*row) for row in rows))


def _find_push(connection: Connection, deploy: Deploy) -> _Push | None:
    sha = deploy.git_sha.lower()
    row = connection.execute(
        """/* environments.find_push */ select repository, branch, position from pushed_commits
        where project_id = :project_id and sha >= :sha and sha < :past limit 1""",
        {"project_id": deploy.project_id, "sha": sha, "past": sha + "\x7f"},
    ).fetchone()
    return None if row is None else _Push(*row)
