"""Which windows a deploy is judged by: what its neighbours and its telemetry leave it."""

from miniapm.clock import HOUR
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.values import Confounder
from miniapm.domain.impact.windows import Plan, plan_windows
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.deploys.surroundings import find_next_live, find_previous_live

CONFOUNDS_WITHIN = HOUR
MOST_CONFOUNDERS = 5


def find_plan(connection: Connection, deploy: Deploy) -> Plan:
    """The windows of a live deploy, as things stand."""
    previous = find_previous_live(connection, deploy)
    following = find_next_live(connection, deploy)
    first_seen_at = scalar(
        connection,
        """/* releases.first_of_deploy */ select min(first_seen_at) from releases
        where project_id = :project_id and deploy_id = :deploy_id
            and service = :service and env = :env""",
        project_id=deploy.project_id,
        deploy_id=deploy.id,
        service=deploy.service,
        env=deploy.env,
    )
    return plan_windows(
        deploy.deployed_at,
        deploy.started_at,
        first_seen_at,
        previous.deployed_at if previous else None,
        following.deployed_at if following else None,
    )


def find_confounders(connection: Connection, deploy: Deploy) -> list[Confounder]:
    """Live deploys of other services to the same environment within an hour, the nearest first."""
    rows = connection.execute(
        f"""/* deploys.find_beside */ select {COLUMNS} from deploys
        where project_id = :project_id and env = :env and service <> :service
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and deployed_at >= :since and deployed_at <= :until""",
        {
            "project_id": deploy.project_id,
            "env": deploy.env,
            "service": deploy.service,
            "since": deploy.deployed_at - CONFOUNDS_WITHIN,
            "until": deploy.deployed_at + CONFOUNDS_WITHIN,
        },
    ).fetchall()
    beside = to_deploys(connection, deploy.project_id, rows)
    beside.sort(key=lambda one: abs(one.deployed_at - deploy.deployed_at))
    return [
        Confounder(one.id, one.service, one.name, one.deployed_at)
        for one in beside[:MOST_CONFOUNDERS]
    ]
