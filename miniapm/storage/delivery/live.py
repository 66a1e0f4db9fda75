"""The live deploys of a lane as the numbers are folded from them: all from some moment on."""

from miniapm.domain.delivery.failures import fold_lane
from miniapm.domain.delivery.values import LiveDeploy, Outcome
from miniapm.domain.deploys.values import Lane
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.marks import Marks
from miniapm.storage.delivery.reverts import find_carriers


def tell_lane(connection: Connection, lane: Lane, since: int, marks: Marks) -> list[Outcome]:
    """What became of the live deploys of `lane` at or after `since`, with all that came after."""
    deploys = _find_deploys(connection, lane, since, marks)
    before = _find_before(connection, lane, since)
    named = {sha for deploy in deploys for sha in deploy.reverts}
    carriers = find_carriers(connection, lane, named)
    return fold_lane(deploys, before, carriers)


_FIRST_LIVE = """(select min(p.deployed_at) from deploys p
    where p.project_id = d.project_id and p.service = d.service and p.env = d.env
        and p.git_sha = d.git_sha and p.deployed_at < :since
        and p.status = 'succeeded' and p.hidden_at is null and p.is_left_out = 0)"""


def _find_deploys(connection: Connection, lane: Lane, since: int, marks: Marks) -> list[LiveDeploy]:
    values = {**lane._asdict(), "since": since}
    cursor = connection.execute(
        f"""/* delivery.find_live */ select d.id, d.git_sha, d.deployed_at, d.overruled,
            {_FIRST_LIVE}
        from deploys d
        where d.project_id = :project_id and d.service = :service and d.env = :env
            and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0
            and d.deployed_at >= :since
        order by d.deployed_at, d.id""",
        values,
    )
    tags, fixes, regressed, reverts = marks
    service, env = lane.service, lane.env
    cursor.row_factory = None
    return [
        LiveDeploy(
            deploy_id,
            sha,
            at,
            service,
            env,
            overruled,
            first,
            tags.get(deploy_id, ""),
            deploy_id in fixes,
            deploy_id in regressed,
            reverts.get(deploy_id, ()),
        )
        for deploy_id, sha, at, overruled, first in cursor
    ]


def _find_before(connection: Connection, lane: Lane, since: int) -> LiveDeploy | None:
    row = connection.execute(
        f"""/* delivery.find_before */ select d.id, d.git_sha, d.deployed_at, {_FIRST_LIVE}
        from deploys d
        where d.project_id = :project_id and d.service = :service and d.env = :env
            and d.status = 'succeeded' and d.hidden_at is null and d.is_left_out = 0
            and d.deployed_at < :since
        order by d.deployed_at desc, d.id desc limit 1""",
        {**lane._asdict(), "since": since},
    ).fetchone()
    if row is None:
        return None
    return LiveDeploy(row[0], row[1], row[2], lane.service, lane.env, first_live_at=row[3])
