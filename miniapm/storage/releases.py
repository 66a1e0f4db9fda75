"""Releases and endpoints as telemetry showed them: what ids in rollups and entries stand for."""

from typing import NamedTuple

from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import find_lanes


class Release(NamedTuple):
    """Who served: `version` and `revision` are "" where telemetry did not say. Instants in µs."""

    id: int
    service: str
    env: str
    version: str
    revision: str
    first_seen_at: int
    last_seen_at: int
    deploy_id: int | None


class Endpoint(NamedTuple):
    """What was served."""

    id: int
    service: str
    name: str


def find_releases(
    connection: Connection, project_id: int, env: str | None = None, service: str | None = None
) -> list[Release]:
    """The releases of a project, of `env` and `service` where they are given, first seen first."""
    wanted = ("env = :env", env), ("service = :service", service)
    where = ["project_id = :project_id", *(sql for sql, value in wanted if value is not None)]
    rows = connection.execute(
        f"""/* releases.find */ select id, service, env, version, revision, first_seen_at,
            last_seen_at, deploy_id from releases
        where {" and ".join(where)} order by first_seen_at, id""",
        {"project_id": project_id, "env": env, "service": service},
    )
    return [Release(*row) for row in rows]


def find_release_ids(
    connection: Connection, project_id: int, env: str | None, service: str | None
) -> frozenset[int] | None:
    """What rollups are filtered by: None, which is all of them, where neither is given."""
    if env is None and service is None:
        return None
    return frozenset(r.id for r in find_releases(connection, project_id, env, service))


def find_served_lanes(connection: Connection, project_id: int) -> list[tuple[str, str]]:
    """The (service, env) pairs that have deploys or telemetry: what filter menus offer."""
    rows = connection.execute(
        """/* releases.find_lanes */ select distinct service, env from releases
        where project_id = :project_id""",
        {"project_id": project_id},
    )
    return sorted({*((service, env) for service, env in rows), *find_lanes(connection, project_id)})


def find_endpoints(connection: Connection, project_id: int) -> dict[int, Endpoint]:
    """The endpoints of a project by id."""
    rows = connection.execute(
        """/* endpoints.find */ select id, service, name from endpoints
        where project_id = :project_id""",
        {"project_id": project_id},
    )
    return {row[0]: Endpoint(*row) for row in rows}


def find_last_seen(connection: Connection, project_id: int) -> int | None:
    """When telemetry of a project was last seen; None before the first."""
    found = scalar(
        connection,
        """/* releases.find_last_seen */ select max(last_seen_at) from releases
        where project_id = :project_id""",
        project_id=project_id,
    )
    return None if found is None else int(found)
