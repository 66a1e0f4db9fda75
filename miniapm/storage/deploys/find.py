"""Finding deploys: pages of them, one of them, and what stood around them."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.deploys.kinds import KindReason, Surroundings, derive_kind
from miniapm.domain.deploys.values import Deploy
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.rows import COLUMNS, to_deploys


class DeployFilter(NamedTuple):
    """Which deploys of a project; None leaves a field open. Times: since <= t < until, in µs."""

    env: str | None = None
    service: str | None = None
    status: str | None = None
    tag: str | None = None
    query: str | None = None
    since: int | None = None
    until: int | None = None
    hidden: bool = False


class Cursor(NamedTuple):
    """The place after which the next page begins: the last deploy of the page before."""

    deployed_at: int
    id: int


class ToldDeploy(NamedTuple):
    """A deploy with what it was and what it replaced."""

    deploy: Deploy
    kind: KindReason
    previous_id: int | None


def find_deploys(
    connection: Connection,
    project_id: int,
    wanted: DeployFilter,
    limit: int,
    after: Cursor | None = None,
) -> list[Deploy]:
    """At most `limit` deploys, newest first. `hidden` asks for the hidden ones alone."""
    where = ["project_id = :project_id"]
    where.append("hidden_at is not null" if wanted.hidden else "hidden_at is null")
    for name in ("env", "service", "status"):
        if getattr(wanted, name) is not None:
            where.append(f"{name} = :{name}")
    if wanted.since is not None:
        where.append("deployed_at >= :since")
    if wanted.until is not None:
        where.append("deployed_at < :until")
    if wanted.query is not None:
        where.append("search like :pattern escape '\\'")
    if wanted.tag is not None:
        where.append(
            "exists (select 1 from deploy_tags t where t.project_id = deploys.project_id"
            " and t.deploy_id = deploys.id and t.tag = :tag)"
        )
    if after is not None:
        where.append("(deployed_at, id) < (:after_at, :after_id)")
    rows = connection.execute(
        f"""/* deploys.find */ select {COLUMNS} from deploys
        where {" and ".join(where)}
        order by deployed_at desc, id desc limit :limit""",
        {
            "project_id": project_id,
            "limit": limit,
            "pattern": _contains(wanted.query or ""),
            "after_at": after.deployed_at if after else None,
            "after_id": after.id if after else None,
            **wanted._asdict(),
        },
    ).fetchall()
    return to_deploys(connection, project_id, rows)


def _contains(text: str) -> str:
    # SQLite refuses patterns of more than 50,000 bytes; nobody searches for as much
    text = text[:200]
    escaped = text.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def get_deploy(connection: Connection, project_id: int, deploy_id: int) -> Deploy:
    """One deploy, hidden or not; NotFound also when it is another project's."""
    rows = connection.execute(
        f"""/* deploys.get */ select {COLUMNS} from deploys
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": deploy_id},
    ).fetchall()
    if not rows:
        raise NotFound("There is no such deploy in this project.")
    return to_deploys(connection, project_id, rows)[0]


def tell_deploys(connection: Connection, deploys: Sequence[Deploy]) -> list[ToldDeploy]:
    """Each deploy with its kind; a few index look-ups per deploy, however many there are."""
    told = []
    for deploy in deploys:
        around = _find_surroundings(connection, deploy)
        previous_id = around.previous.id if around.previous else None
        told.append(ToldDeploy(deploy, derive_kind(deploy, around), previous_id))
    return told


def _find_surroundings(connection: Connection, deploy: Deploy) -> Surroundings:
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
            and git_sha = :git_sha and hidden_at is null and (deployed_at, id) < (:at, :id)
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
            and status = 'succeeded' and hidden_at is null
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


def find_lanes(connection: Connection, project_id: int) -> list[tuple[str, str]]:
    """The (service, env) pairs that have deploys; steps through the index, one seek a pair."""
    lanes: list[tuple[str, str]] = []
    service = env = ""
    while True:
        row = connection.execute(
            """/* deploys.next_lane */ select service, env from deploys
            where project_id = :project_id and (service, env) > (:service, :env)
            order by service, env limit 1""",
            {"project_id": project_id, "service": service, "env": env},
        ).fetchone()
        if row is None:
            return lanes
        service, env = row
        lanes.append((service, env))


def find_latest_change(connection: Connection, project_id: int) -> int:
    """The instant of the newest change to any deploy of the project; 0 when it has none."""
    found = scalar(
        connection,
        """/* deploys.latest_change */ select max(updated_at) from deploys
        where project_id = :project_id""",
        project_id=project_id,
    )
    return int(found or 0)
