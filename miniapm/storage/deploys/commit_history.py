"""Commits of before the webhooks: stored as if pushes had told of them, and given to the deploys
that brought them."""

from collections.abc import Sequence

from miniapm.domain.deploys.commit_lines import PlacedCommit
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.pushed import fill_commits
from miniapm.storage.deploys.rows import COLUMNS, to_deploys


def store_commits(
    connection: Connection, project_id: int, commits: Sequence[PlacedCommit], now: int
) -> int:
    """Keeps the commits that are not known yet; how many those are."""
    new = 0
    for (repository, branch, commit), position in commits:
        new += connection.execute(
            """/* pushed_commits.import */ insert into pushed_commits (project_id, repository, sha,
                branch, position, committed_at, message, author, pushed_at)
            values (:project_id, :repository, :sha, :branch, :position, :committed_at, :message,
                :author, :pushed_at)
            on conflict (project_id, repository, sha) do nothing""",
            {
                "project_id": project_id,
                "repository": repository,
                "sha": commit.sha,
                "branch": branch,
                "position": position,
                "committed_at": commit.committed_at,
                "message": commit.message,
                "author": commit.author,
                "pushed_at": commit.committed_at or now,
            },
        ).rowcount
    return new


def find_without_commits(connection: Connection, project_id: int) -> list[int]:
    """The live deploys whose sender said nothing of commits, oldest first."""
    rows = connection.execute(
        """/* deploys.find_without_commits */ select d.id from deploys d
        where d.project_id = :project_id and d.status = 'succeeded' and not exists (
            select 1 from deploy_commits c where c.project_id = d.project_id
                and c.deploy_id = d.id and c.position >= 0)
        order by d.deployed_at, d.id""",
        {"project_id": project_id},
    )
    return [row[0] for row in rows]


def give_commits(connection: Connection, project_id: int, ids: Sequence[int], now: int) -> int:
    """Gives these deploys what they brought of the commits that are known; how many have some
    now."""
    names = {f"d{place}": deploy_id for place, deploy_id in enumerate(ids)}
    listed = ", ".join(f":{name}" for name in names) or "null"
    values = {"project_id": project_id, **names}
    rows = connection.execute(
        f"""/* deploys.find_some */ select {COLUMNS} from deploys
        where project_id = :project_id and id in ({listed}) order by deployed_at, id""",
        values,
    ).fetchall()
    for deploy in to_deploys(connection, project_id, rows):
        fill_commits(connection, deploy, now)
    return int(
        scalar(
            connection,
            f"""/* deploy_commits.count_deploys */ select count(distinct deploy_id)
            from deploy_commits where project_id = :project_id and deploy_id in ({listed})""",
            **values,
        )
    )
