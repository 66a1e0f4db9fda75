"""Finding deploys: lists of them, one of them, and where there are any."""

from collections.abc import Iterable
from typing import NamedTuple

from miniapm.domain.deploys.values import Deploy, Lane
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.in_lists import bind_parts
from miniapm.storage.projects import Project


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


def find_deploys(
    connection: Connection,
    project_id: int,
    wanted: DeployFilter,
    limit: int,
    after: Cursor | None = None,
) -> list[Deploy]:
    """At most `limit` deploys, newest first. `hidden` asks for the hidden ones alone."""
    hidden = "hidden_at is not null" if wanted.hidden else "hidden_at is null"
    where = ["project_id = :project_id", hidden]
    for name in ("env", "service", "status"):
        if getattr(wanted, name) is not None:
            where.append(f"{name} = :{name}")
    if wanted.since is not None:
        where.append("deployed_at >= :since")
    if wanted.until is not None:
        where.append("deployed_at < :until")
    if wanted.query is not None:
        # `like` takes minutes for a text of one letter; this is said the same in every SQL
        where.append("replace(search, :needle, '') <> search")
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
            "needle": (wanted.query or "").casefold(),
            "after_at": after.deployed_at if after else None,
            "after_id": after.id if after else None,
            **wanted._asdict(),
        },
    ).fetchall()
    return to_deploys(connection, project_id, rows)


def get_deploy(connection: Connection, project_id: int, deploy_id: int) -> Deploy:
    """One deploy, hidden or not; NotFound also when it is another project's."""
    rows = connection.execute(
        f"""/* deploys.get */ select {COLUMNS} from deploys
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": deploy_id},
    ).fetchall()
    if not rows:
        raise no_such_deploy()
    return to_deploys(connection, project_id, rows)[0]


def no_such_deploy() -> NotFound:
    return NotFound(
        "There is no such deploy in this project.",
        "Nothing is lost: deploys are only ever hidden, and hidden ones can be restored. One of "
        "another project looks like this too.",
    )


def find_by_ids(connection: Connection, project_id: int, ids: Iterable[int]) -> dict[int, Deploy]:
    """Those that there are, by id."""
    found: dict[int, Deploy] = {}
    for names, values in bind_parts("d", list(dict.fromkeys(ids))):
        rows = connection.execute(
            f"""/* deploys.find_by_ids */ select {COLUMNS} from deploys
            where project_id = :project_id and id in ({names})""",
            {"project_id": project_id, **values},
        ).fetchall()
        found |= {deploy.id: deploy for deploy in to_deploys(connection, project_id, rows)}
    return found


def find_live(connection: Connection, lane: Lane, most: int) -> list[Deploy]:
    """The live deploys of `lane`, the newest first."""
    rows = connection.execute(
        f"""/* deploys.find_live */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
        order by deployed_at desc, id desc limit :most""",
        {**lane._asdict(), "most": most},
    ).fetchall()
    return to_deploys(connection, lane.project_id, rows)


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


def find_lanes(connection: Connection, project_id: int) -> list[tuple[str, str]]:
    """The (service, env) pairs that have deploys; steps through the index, two seeks a pair."""
    lanes: list[tuple[str, str]] = []
    service = env = ""
    while True:
        values = {"project_id": project_id, "service": service, "env": env}
        row = connection.execute(_NEXT_ENV, values).fetchone()
        row = row or connection.execute(_NEXT_SERVICE, values).fetchone()
        if row is None:
            return lanes
        service, env = row
        lanes.append((service, env))


# not (service, env) > (:service, :env): SQLite looks for the first of a row value alone
_NEXT_ENV = """/* deploys.next_env */ select service, env from deploys
    where project_id = :project_id and service = :service and env > :env
    order by env limit 1"""
_NEXT_SERVICE = """/* deploys.next_service */ select service, env from deploys
    where project_id = :project_id and service > :service
    order by service, env limit 1"""


def find_latest_change(connection: Connection, project_id: int) -> int:
    """The instant of the newest change to any deploy of the project; 0 when it has none."""
    found = scalar(
        connection,
        """/* deploys.latest_change */ select max(updated_at) from deploys
        where project_id = :project_id""",
        project_id=project_id,
    )
    return int(found or 0)
