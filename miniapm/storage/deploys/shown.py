"""Deploys as they are shown: with kind, previous deploy, and a title where there is one to find."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import (
    Cursor,
    DeployFilter,
    ToldDeploy,
    find_deploys,
    get_deploy,
    tell_deploys,
)
from miniapm.storage.deploys.rows import find_commits
from miniapm.storage.deploys.titles import find_titles
from miniapm.storage.projects import Project


class ShownDeploy(NamedTuple):
    """`title` is the one given, else the first line of the head commit's message."""

    told: ToldDeploy
    title: str | None


class ShownPage(NamedTuple):
    """`after` is where the next page begins; None on the last one."""

    deploys: list[ShownDeploy]
    after: Cursor | None


class DeployWithCommits(NamedTuple):
    shown: ShownDeploy
    commits: list[Commit]


def find_shown(
    connection: Connection,
    project_id: int,
    wanted: DeployFilter,
    limit: int,
    after: Cursor | None = None,
) -> ShownPage:
    """At most `limit` deploys, newest first."""
    found = find_deploys(connection, project_id, wanted, limit + 1, after)
    page = found[:limit]
    has_more = len(found) > limit
    return ShownPage(
        show_deploys(connection, page),
        Cursor(page[-1].deployed_at, page[-1].id) if has_more else None,
    )


def get_shown(connection: Connection, project_id: int, deploy_id: int) -> DeployWithCommits:
    """One deploy, hidden or not; NotFound also when it is another project's."""
    deploy = get_deploy(connection, project_id, deploy_id)
    [shown] = show_deploys(connection, [deploy])
    return DeployWithCommits(shown, find_commits(connection, project_id, deploy_id))


def show_deploys(connection: Connection, deploys: Sequence[Deploy]) -> list[ShownDeploy]:
    """Each of `deploys` with what is derived from the others."""
    titles = find_titles(connection, deploys)
    return [
        ShownDeploy(told, titles.get(told.deploy.id)) for told in tell_deploys(connection, deploys)
    ]


def get_owner(connection: Connection, deploy_id: int) -> Project:
    """The project that a deploy belongs to, for callers that may see several."""
    row = connection.execute(
        """/* deploys.get_owner */ select p.id, p.slug, p.name, p.created_at
        from deploys d join projects p on p.id = d.project_id where d.id = :id""",
        {"id": deploy_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such deploy.")
    return Project(*row)
