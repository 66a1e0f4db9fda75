"""Deploys by their ids, for the lists behind the numbers."""

from collections.abc import Iterable, Iterator

from miniapm.domain.delivery.values import Outcome
from miniapm.domain.deploys.values import Deploy
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


def name_behind(outcomes: Iterable[Outcome]) -> Iterator[int]:
    """The ids of these deploys, and of those that their reasons and recoveries name."""
    for outcome in outcomes:
        yield outcome.deploy.id
        if outcome.failure is not None and outcome.failure.by_id is not None:
            yield outcome.failure.by_id
        if outcome.recovered_by is not None:
            yield outcome.recovered_by
