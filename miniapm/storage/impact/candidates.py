"""Which deploys are to be judged: those that changed, whose next look has come, or into whose
windows telemetry came after they were judged."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from miniapm.domain.deploys.values import Lane
from miniapm.domain.impact.values import Window
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import find_changes
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.surroundings import find_next_live, find_previous_live
from miniapm.storage.impact.lanes import count_served

_LATEST_CHANGES = 5
_PLACE = frozenset({"service", "env", "deployed_at", "status", "hidden_at"})


class DeployRef(NamedTuple):
    """A deploy of a project."""

    project_id: int
    deploy_id: int


class ChangedDeploy(NamedTuple):
    """A deploy and when it was last changed (µs)."""

    ref: DeployRef
    updated_at: int

    @property
    def place(self) -> "ChangePlace":
        return ChangePlace(self.updated_at, self.ref.deploy_id)


class ChangePlace(NamedTuple):
    """Where a look through the changes stands: behind this instant (µs) and this deploy."""

    updated_at: int
    deploy_id: int


def find_changed(
    connection: Connection, behind: ChangePlace, oldest: int, most: int
) -> list[ChangedDeploy]:
    """At most so many deploys that were recorded or changed behind that place, in this order, and
    not judged since; those deployed before `oldest` (µs) have no minutes to judge them by."""
    rows = connection.execute(
        """/* deploys.find_changed */ select d.project_id, d.id, d.updated_at
        from projects p join deploys d on d.project_id = p.id
            left join impacts i on i.deploy_id = d.id
        where (d.updated_at, d.id) > (:updated_at, :deploy_id) and d.deployed_at >= :oldest
            and (i.deploy_id is null or i.deploy_updated_at <> d.updated_at)
        order by d.updated_at, d.id limit :most""",
        {**behind._asdict(), "oldest": oldest, "most": most},
    )
    return [ChangedDeploy(DeployRef(row[0], row[1]), row[2]) for row in rows]


def find_affected(connection: Connection, ref: DeployRef) -> list[DeployRef]:
    """The deploys whose windows a changed deploy is, or was, part of: itself, and its neighbours
    where it is now and where it stood before its latest corrections."""
    try:
        deploy = get_deploy(connection, ref.project_id, ref.deploy_id)
    except NotFound:
        return []
    places = {deploy: None}
    for change in find_changes(connection, ref.project_id, ref.deploy_id)[:_LATEST_CHANGES]:
        moved = {name: value for name, value in change.before.items() if name in _PLACE}
        places[msgspec.structs.replace(deploy, **moved)] = None
    found = {ref: None}
    for place in places:
        for neighbour in (find_previous_live(connection, place), find_next_live(connection, place)):
            if neighbour is not None:
                found[DeployRef(ref.project_id, neighbour.id)] = None
    return list(found)


def find_due(connection: Connection, now: int, most: int) -> list[DeployRef]:
    """At most so many deploys whose next look has come."""
    rows = connection.execute(
        """/* impacts.find_due */ select project_id, deploy_id from impacts
        where next_look_at <= :now order by next_look_at limit :most""",
        {"now": now, "most": most},
    )
    return [DeployRef(*row) for row in rows]


def stop_looking(connection: Connection, ref: DeployRef) -> None:
    """No look at a deploy is to come: it is not live any more, or too old. What changes it brings
    it back."""
    connection.execute(
        """/* impacts.stop_looking */ update impacts set next_look_at = null
        where project_id = :project_id and deploy_id = :deploy_id and next_look_at is not null""",
        ref._asdict(),
    )


def find_stale(connection: Connection, stirred: Mapping[Lane, Window]) -> list[DeployRef]:
    """The deploys into whose judged minutes telemetry came since; `stirred` says where any came."""
    found = []
    for lane, window in stirred.items():
        rows = connection.execute(
            """/* impacts.find_stirred */ select deploy_id, since, until, served from impacts
            where project_id = :project_id and service = :service and env = :env
                and until > :begin and since < :end""",
            {**lane._asdict(), "begin": window.since, "end": window.until},
        ).fetchall()
        for deploy_id, since, until, served in rows:
            if count_served(connection, lane, Window(since, until)) != served:
                found.append(DeployRef(lane.project_id, deploy_id))
    return found


def find_lanes(connection: Connection) -> list[Lane]:
    """Every lane that ever sent telemetry."""
    rows = connection.execute(
        "/* releases.all_lanes */ select distinct project_id, service, env from releases"
    )
    return [Lane(*row) for row in rows]
