"""Whole deploys: those behind the numbers by their ids, and the live ones of a lane."""

from collections.abc import Iterable

from miniapm.domain.deploys.values import Deploy, Lane
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys

_AT_ONCE = 500


def find_by_ids(connection: Connection, project_id: int, ids: Iterable[int]) -> dict[int, Deploy]:
    """Those that there are, by id."""
    wanted = list(dict.fromkeys(ids))
    found: dict[int, Deploy] = {}
    for begin in range(0, len(wanted), _AT_ONCE):
        values = {f"d{place}": one for place, one in enumerate(wanted[begin : begin + _AT_ONCE])}
        names = ", ".join(f":{name}" for name in values)
        rows = connection.execute(
            f"""/* delivery.find_by_ids */ select {COLUMNS} from deploys
            where project_id = :project_id and id in ({names})""",
            {"project_id": project_id, **values},
        ).fetchall()
        found |= {deploy.id: deploy for deploy in to_deploys(connection, project_id, rows)}
    return found


def find_live(connection: Connection, lane: Lane, most: int) -> list[Deploy]:
    """The live deploys of `lane`, the newest first."""
    rows = connection.execute(
        f"""/* environments.find_live */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null and is_left_out = 0
        order by deployed_at desc, id desc limit :most""",
        {**lane._asdict(), "most": most},
    ).fetchall()
    return to_deploys(connection, lane.project_id, rows)
