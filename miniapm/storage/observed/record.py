"""Telling each release that telemetry shows to the deploy that it is, or recording one for it."""

from miniapm.clock import HOUR
from miniapm.domain.ids import IdMaker
from miniapm.domain.releases import (
    MOST_OF_LANE,
    MOST_OF_PROJECT,
    is_named,
    may_be_recorded,
    open_observed,
)
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.observed.fold import absorb_observed, fold_release
from miniapm.storage.observed.match import find_by_id, match_release
from miniapm.storage.observed.waiting import FreshRelease, set_deploy, take_fresh
from miniapm.storage.receivers.nameless import name_by_release

# a step of the writer's stays short
MOST_AT_ONCE = 25


def observe_releases(
    connection: Connection, make_id: IdMaker, now: int, observe: bool = True
) -> set[str]:
    """Looks at MOST_AT_ONCE releases; gives the slugs of projects that show too many versions.

    Without `observe` releases are matched with what was announced, and nothing is recorded.
    """
    flooding = set()
    for fresh in take_fresh(connection, now, MOST_AT_ONCE):
        deploy_id = _find_deploy(connection, fresh, now) if is_named(fresh.seen.name) else None
        if deploy_id is None and observe and may_be_recorded(fresh.seen, now):
            if _has_room(connection, fresh, now):
                deploy_id = make_id()
                deploy = open_observed(fresh.project_id, fresh.seen, deploy_id, now)
                insert_row(connection, deploy)
            else:
                flooding.add(_find_slug(connection, fresh.project_id))
        set_deploy(connection, fresh, deploy_id, now)
    return flooding


def _find_deploy(connection: Connection, fresh: FreshRelease, now: int) -> int | None:
    """The deploy that a release is, after it was told what the release tells."""
    project_id, release = fresh.project_id, fresh.seen
    known = None
    if fresh.deploy_id is not None:
        known = find_by_id(connection, project_id, fresh.deploy_id)
        if known is not None and not known.is_observed:
            return known.id
    announced, observed = match_release(connection, project_id, release)
    if known is not None:
        observed = [known, *(other for other in observed if other.id != known.id)]
    if announced is not None and known is None:
        for other in observed:
            absorb_observed(connection, other, announced, release, now)
        return announced.id
    if not observed:
        named = name_by_release(connection, project_id, release, now)
        return None if named is None else named.id
    deploy = fold_release(connection, observed[0], release, now)
    for other in observed[1:]:
        deploy = absorb_observed(connection, other, deploy, release, now) or deploy
    if announced is not None:
        deploy = absorb_observed(connection, deploy, announced, release, now) or deploy
    return deploy.id


def _has_room(connection: Connection, fresh: FreshRelease, now: int) -> bool:
    name = fresh.seen.name
    row = connection.execute(
        """/* deploys.count_observed */ select count(*) as of_project,
            count(case when service = :service and env = :env then 1 end) as of_lane
        from deploys
        where project_id = :project_id and sources = 'telemetry' and recorded_at > :since""",
        {
            "project_id": fresh.project_id,
            "service": name.service,
            "env": name.env,
            "since": now - HOUR,
        },
    ).fetchone()
    return bool(row["of_project"] < MOST_OF_PROJECT and row["of_lane"] < MOST_OF_LANE)


def _find_slug(connection: Connection, project_id: int) -> str:
    found = scalar(
        connection,
        "/* projects.find_slug */ select slug from projects where id = :id",
        id=project_id,
    )
    return str(found)
