"""Commits that take others back, and the deploys that had brought what they take back."""

from collections.abc import Iterable, Iterator

from miniapm.domain.delivery.reverts import find_reverted
from miniapm.domain.deploys.values import SHA_PREFIX, Lane
from miniapm.storage.connection import Connection
from miniapm.storage.prefixes import end_of

_WHOLE_SHA = 40
_MOST_OF_DEPLOY = 100
"""Shas that the commits of a deploy can take back: each is looked up."""


def find_reverts(connection: Connection, project_id: int) -> dict[int, tuple[str, ...]]:
    """By deploy of the project, the shas that its commits take back; there are few of them."""
    rows = connection.execute(
        """/* delivery.find_reverts */ select deploy_id, message from deploy_commits
        where project_id = :project_id and message like '%This reverts commit %'
        order by deploy_id, message""",
        {"project_id": project_id},
    )
    found: dict[int, tuple[str, ...]] = {}
    for deploy_id, message in rows:
        known = found.get(deploy_id, ())
        if len(known) < _MOST_OF_DEPLOY:
            found[deploy_id] = (*known, *find_reverted(message))[:_MOST_OF_DEPLOY]
    return found


def find_carriers(connection: Connection, lane: Lane, named: Iterable[str]) -> dict[str, list[int]]:
    """By sha in `named`, the live deploys of the lane that deployed it, or that brought it first.

    A few index look-ups for each; either side may be cut to seven characters or more.
    """
    return {sha: _find_carriers(connection, lane, sha) for sha in named}


def _find_carriers(connection: Connection, lane: Lane, sha: str) -> list[int]:
    deployed: list[tuple[int, int]] = []
    brought: list[tuple[int, int]] = []
    for condition, values in _match(sha):
        deployed += _find_deployed(connection, lane, condition, values)
        brought += _find_brought(connection, lane, condition, values)
    carriers = {*deployed, *sorted(brought)[:1]}
    return [deploy_id for _, deploy_id in sorted(carriers)]


def _find_deployed(
    connection: Connection, lane: Lane, condition: str, values: dict[str, str]
) -> list[tuple[int, int]]:
    rows = connection.execute(
        f"""/* delivery.find_deployed */ select d.deployed_at, d.id from deploys d
        where d.project_id = :project_id and d.service = :service and d.env = :env
            and d.git_sha {condition}
            and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0""",
        {**lane._asdict(), **values},
    )
    return [(row[0], row[1]) for row in rows]


def _find_brought(
    connection: Connection, lane: Lane, condition: str, values: dict[str, str]
) -> list[tuple[int, int]]:
    # a cross join keeps its order: commits by their sha, then their deploys
    rows = connection.execute(
        f"""/* delivery.find_brought */ select d.deployed_at, d.id
        from deploy_commits c cross join deploys d
        where c.project_id = :project_id and c.sha {condition} and d.id = c.deploy_id
            and d.project_id = :project_id and d.service = :service and d.env = :env
            and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0""",
        {**lane._asdict(), **values},
    )
    return [(row[0], row[1]) for row in rows]


def _match(sha: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Conditions for shas that `sha` begins with, and for those that begin with `sha`."""
    cuts = {f"c{length}": sha[:length] for length in range(SHA_PREFIX, len(sha) + 1)}
    yield f"in ({', '.join(f':{name}' for name in cuts)})", cuts
    if len(sha) < _WHOLE_SHA:
        yield "between :sha and :past", {"sha": sha, "past": end_of(sha)}
