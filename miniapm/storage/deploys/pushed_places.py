"""Where deployed commits stand among those that pushes told of."""

from typing import NamedTuple

from miniapm.domain.deploys.values import SHA_PREFIX, Deploy
from miniapm.storage.connection import Connection
from miniapm.storage.prefixes import end_of


class PushedPlace(NamedTuple):
    """`position` counts up along a branch of a repository."""

    repository: str
    branch: str
    position: int


def find_pushed_place(connection: Connection, deploy: Deploy) -> PushedPlace | None:
    """Of the deployed commit; None where no push told of it, or its prefix is of two."""
    sha = deploy.git_sha.lower()
    rows = connection.execute(
        """/* pushed_commits.find_place */ select repository, branch, position, sha
        from pushed_commits
        where project_id = :project_id and sha >= :sha and sha < :past limit 2""",
        {"project_id": deploy.project_id, "sha": sha, "past": end_of(sha)},
    ).fetchall()
    if not rows or len(sha) < SHA_PREFIX or len({row[3] for row in rows}) > 1:
        return None
    return PushedPlace(*rows[0][:3])
