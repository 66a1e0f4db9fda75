"""Commits of before the webhooks: stored as if pushes had told of them, and given to the deploys
that brought them."""

from collections.abc import Sequence

from miniapm.domain.deploys.commit_lines import PlacedCommit
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import find_by_ids
from miniapm.storage.deploys.pushed import fill_commits
from miniapm.storage.in_lists import bind_list


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
    deploys = find_by_ids(connection, project_id, ids).values()
    for deploy in sorted(deploys, key=lambda deploy: (deploy.deployed_at, deploy.id)):
        fill_commits(connection, deploy, now)
    names, values = bind_list("d", ids)
    return int(
        scalar(
            connection,
            f"""/* deploy_commits.count_deploys */ select count(distinct deploy_id)
            from deploy_commits where project_id = :project_id and deploy_id in ({names})""",
            project_id=project_id,
            **values,
        )
    )
