"""What one environment has that another lacks, of the same service."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from miniapm.domain.deploys.values import Commit, Deploy, Lane
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import find_live
from miniapm.storage.deploys.pushed_places import find_pushed_place

MOST_DEPLOYS = 100
MOST_COMMITS = 500


class Difference(NamedTuple):
    """The commits that one environment has and another lacks, the newest first. `is_known` is False
    where not all of them were told: then there may be more."""

    is_known: bool
    commits: tuple[Commit, ...] = ()


def compare_lanes(
    connection: Connection, lane: Lane, other: Lane, live: Mapping[Lane, Deploy]
) -> Difference:
    """What `lane` has more than `other`; `live` are the deploys that are live in both."""
    if live[lane].git_sha == live[other].git_sha:
        return Difference(True)
    pushed = _compare_pushes(connection, live[lane], live[other])
    return pushed or _compare_deploys(connection, lane, other)


def _compare_pushes(connection: Connection, deploy: Deploy, other: Deploy) -> Difference | None:
    """The commits of a branch between the two; None where pushes told of neither or of one."""
    head, base = find_pushed_place(connection, deploy), find_pushed_place(connection, other)
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


def _compare_deploys(connection: Connection, lane: Lane, other: Lane) -> Difference:
    """What the deploys of `lane` brought since the last of them whose sha was live in `other` too,
    without what `other` has by another way. Where there was none, nothing can be told."""
    commits: dict[str, Commit] = {}
    is_known = True
    for deploy, may_be_silent in _trace_back(find_live(connection, lane, MOST_DEPLOYS)):
        if _was_live(connection, other, deploy.git_sha):
            return Difference(is_known, _lacking(connection, other, commits))
        brought = _find_commits(connection, deploy)
        is_known = is_known and (may_be_silent or bool(brought))
        for commit in brought:
            commits.setdefault(commit.sha, commit)
    return Difference(False)


def _trace_back(live: Sequence[Deploy]) -> Iterator[tuple[Deploy, bool]]:
    """Those of `live`, newest first, that made what is live now; whether each need bring nothing.

    A redeploy and a rollback put out again what was live before: what came between is gone.
    """
    earlier = {deploy.git_sha: place for place, deploy in enumerate(live)}
    place = 0
    while place < len(live):
        first = earlier[live[place].git_sha]
        yield live[place], first > place
        place = first if first > place else place + 1


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
