"""What stood around a deploy in its project, service and env."""

from miniapm.domain.deploys.kinds import Surroundings
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.rows import COLUMNS, to_deploys


def find_surroundings(connection: Connection, deploy: Deploy) -> Surroundings:
    """What decides the kind of `deploy`: a few index look-ups, however many deploys there are."""
    lane = {
        "project_id": deploy.project_id,
        "service": deploy.service,
        "env": deploy.env,
        "at": deploy.deployed_at,
        "id": deploy.id,
        "git_sha": deploy.git_sha,
    }
    previous = find_previous_live(connection, deploy)
    rows = connection.execute(
        f"""/* deploys.find_last_attempt */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and hidden_at is null and is_left_out = 0
            and (deployed_at, id) < (:at, :id)
        order by deployed_at desc, id desc limit 1""",
        lane,
    ).fetchall()
    attempts = to_deploys(connection, deploy.project_id, rows)
    return Surroundings(
        previous=previous,
        last_attempt=attempts[0] if attempts else None,
        own_live_at=_first_live_at(connection, deploy, deploy.git_sha) if attempts else None,
        previous_live_at=(
            _first_live_at(connection, deploy, previous.git_sha) if attempts and previous else None
        ),
    )


def _first_live_at(connection: Connection, before: Deploy, git_sha: str) -> int | None:
    found = scalar(
        connection,
        """/* deploys.first_live_at */ select min(deployed_at) from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and status = 'succeeded' and hidden_at is null
            and is_left_out = 0
            and (deployed_at, id) < (:at, :id)""",
        project_id=before.project_id,
        service=before.service,
        env=before.env,
        git_sha=git_sha,
        at=before.deployed_at,
        id=before.id,
    )
    return None if found is None else int(found)


def find_previous_live(connection: Connection, deploy: Deploy) -> Deploy | None:
    """What was live in its service and env before it."""
    return _find_neighbour(connection, deploy, "<", "desc")


def find_next_live(connection: Connection, deploy: Deploy) -> Deploy | None:
    """What went live in its service and env after it."""
    return _find_neighbour(connection, deploy, ">", "asc")


def _find_neighbour(connection: Connection, deploy: Deploy, side: str, order: str) -> Deploy | None:
    rows = connection.execute(
        f"""/* deploys.find_neighbour */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and (deployed_at, id) {side} (:at, :id)
        order by deployed_at {order}, id {order} limit 1""",
        {
            "project_id": deploy.project_id,
            "service": deploy.service,
            "env": deploy.env,
            "at": deploy.deployed_at,
            "id": deploy.id,
        },
    ).fetchall()
    found = to_deploys(connection, deploy.project_id, rows)
    return found[0] if found else None


def find_live_of_commit(connection: Connection, deploy: Deploy) -> Deploy | None:
    """The live deploy that brought the commit of one that did not go live: the first after it, such
    as its retry, else the last before."""
    rows = connection.execute(
        f"""/* deploys.find_live_of_commit */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and git_sha = :git_sha and status = 'succeeded' and hidden_at is null
            and is_left_out = 0
        order by case when deployed_at >= :at then 0 else 1 end,
            case when deployed_at >= :at then deployed_at else -deployed_at end, id
        limit 1""",
        {
            "project_id": deploy.project_id,
            "service": deploy.service,
            "env": deploy.env,
            "git_sha": deploy.git_sha,
            "at": deploy.deployed_at,
        },
    ).fetchall()
    found = to_deploys(connection, deploy.project_id, rows)
    return found[0] if found else None


def find_live_at(
    connection: Connection, project_id: int, service: str, env: str, at: int
) -> Deploy | None:
    """What was live in `service` and `env` at `at`: the latest live deploy until then."""
    rows = connection.execute(
        f"""/* deploys.find_live_at */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and deployed_at <= :at
        order by deployed_at desc, id desc limit 1""",
        {"project_id": project_id, "service": service, "env": env, "at": at},
    ).fetchall()
    found = to_deploys(connection, project_id, rows)
    return found[0] if found else None
