"""Questions of a deployment gate: what was asked, and the deploy that is meant by now."""

import msgspec

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.receivers.datadog_gate import GateQuestion, is_meant
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys

MOST_PER_PROJECT = 10_000
_MOST_CANDIDATES = 100


def insert_gate(connection: Connection, question: GateQuestion) -> None:
    """Keeps a question, in the place of the oldest where the project has too many."""
    connection.execute(
        f"""/* foreign_gates.delete_beyond */ delete from foreign_gates
        where project_id = :project_id and id <= (
            select id from foreign_gates where project_id = :project_id
            order by id desc limit 1 offset {MOST_PER_PROJECT - 1})""",
        {"project_id": question.project_id},
    )
    connection.execute(
        """/* foreign_gates.insert */ insert into foreign_gates
            (project_id, id, service, env, version, asked_at)
        values (:project_id, :id, :service, :env, :version, :asked_at)""",
        msgspec.structs.asdict(question),
    )


def get_gate(connection: Connection, project_id: int, gate_id: int) -> GateQuestion:
    """NotFound where there is none, or it is another project's."""
    row = connection.execute(
        """/* foreign_gates.get */ select project_id, id, service, env, version, asked_at
        from foreign_gates where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": gate_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such evaluation; ask the gate again.")
    return GateQuestion(*row)


def find_gated(connection: Connection, question: GateQuestion) -> Deploy | None:
    """The latest deploy of the service and env that is or may go live, of the version asked for."""
    rows = connection.execute(
        f"""/* foreign_gates.find_deploys */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status in ('succeeded', 'started') and hidden_at is null
        order by deployed_at desc, id desc limit {_MOST_CANDIDATES}""",
        {
            "project_id": question.project_id,
            "service": question.service,
            "env": question.env,
        },
    ).fetchall()
    found = to_deploys(connection, question.project_id, rows)
    return next((deploy for deploy in found if is_meant(question, deploy)), None)
