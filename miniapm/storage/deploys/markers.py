"""Deploys as lines drawn through charts."""

from typing import NamedTuple

from miniapm.domain.deploys.values import Status, name_deploy
from miniapm.domain.impact.values import StoredVerdict
from miniapm.storage.connection import Connection
from miniapm.storage.impact.verdicts import find_verdicts

MAX_MARKERS = 500


class Marker(NamedTuple):
    """A deploy at its deploy time; `name` is its version or short sha. One that is observed was
    seen in telemetry and announced by nobody. `verdict` is None where it was not judged."""

    id: int
    at: int
    name: str
    status: Status
    service: str
    env: str
    deployer: str
    is_observed: bool = False
    verdict: StoredVerdict | None = None


def find_markers(
    connection: Connection,
    project_id: int,
    env: str | None,
    service: str | None,
    since: int,
    until: int,
) -> list[Marker]:
    """The deploys in since <= t < until that are not hidden, oldest first; of very many, the newest
    MAX_MARKERS. None leaves `env` or `service` open."""
    where = ["project_id = :project_id", "hidden_at is null"]
    where += ["env = :env"] * (env is not None) + ["service = :service"] * (service is not None)
    rows = connection.execute(
        f"""/* deploys.find_markers */ select id, deployed_at, version, git_sha, status, service,
            env, deployer, sources from deploys
        where {" and ".join(where)} and deployed_at >= :since and deployed_at < :until
        order by deployed_at desc, id desc limit {MAX_MARKERS}""",
        {
            "project_id": project_id,
            "env": env,
            "service": service,
            "since": since,
            "until": until,
        },
    ).fetchall()
    verdicts = find_verdicts(connection, project_id, [row[0] for row in rows])
    markers = (_to_marker(*row) for row in reversed(rows))
    return [marker._replace(verdict=verdicts.get(marker.id)) for marker in markers]


def find_last_live(
    connection: Connection, project_id: int, service: str, env: str, since: int, until: int
) -> Marker | None:
    """The latest live deploy of a service and env in since <= t < until."""
    row = connection.execute(
        """/* deploys.find_last_live */ select id, deployed_at, version, git_sha, status, service,
            env, deployer, sources from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
            and deployed_at >= :since and deployed_at < :until
        order by deployed_at desc, id desc limit 1""",
        {
            "project_id": project_id,
            "service": service,
            "env": env,
            "since": since,
            "until": until,
        },
    ).fetchone()
    return None if row is None else _to_marker(*row)


def _to_marker(
    deploy_id: int,
    at: int,
    version: str | None,
    git_sha: str,
    status: Status,
    service: str,
    env: str,
    deployer: str | None,
    sources: str,
) -> Marker:
    name = name_deploy(git_sha, version)
    is_observed = sources == "telemetry"
    return Marker(deploy_id, at, name, status, service, env, deployer or "", is_observed)
