"""Deploys as they are shown: with kind, previous deploy, and a title where there is one to find."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.deploys.kinds import derive_kind
from miniapm.domain.deploys.shown import ShownDeploy
from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.domain.impact.values import StoredVerdict
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import Cursor, DeployFilter, find_deploys, get_deploy
from miniapm.storage.deploys.rows import find_commits
from miniapm.storage.deploys.sightings import find_first_seen
from miniapm.storage.deploys.surroundings import find_surroundings
from miniapm.storage.deploys.titles import find_titles
from miniapm.storage.impact.verdicts import find_verdicts


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
    """Each of `deploys`, all of one project, with what is derived from the others."""
    if not deploys:
        return []
    titles = find_titles(connection, deploys)
    seen = find_first_seen(connection, deploys)
    verdicts = find_verdicts(connection, deploys[0].project_id, [one.id for one in deploys])
    return [
        _show(connection, d, titles.get(d.id), seen.get(d.id), verdicts.get(d.id)) for d in deploys
    ]


def _show(
    connection: Connection,
    deploy: Deploy,
    title: str | None,
    first_seen_at: int | None,
    verdict: StoredVerdict | None,
) -> ShownDeploy:
    around = find_surroundings(connection, deploy)
    previous_id = around.previous.id if around.previous else None
    kind = derive_kind(deploy, around)
    return ShownDeploy(deploy, kind, previous_id, title, first_seen_at, verdict)
