"""Questions of a deployment gate: what was asked, and the deploy that is meant by now."""

import msgspec

from miniapm.clock import DAY
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.receivers.datadog_gate import GateQuestion, is_meant
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys

KEPT_FOR = DAY
_MOST_CANDIDATES = 100


def insert_gate(connection: Connection, question: GateQuestion) -> None:
    """Keeps a question, and forgets those that nobody asks any more."""
    connection.execute(
        """/* foreign_gates.delete_old */ delete from foreign_gates
        where project_id = :project_id and asked_at < :before""",
        {"project_id": question.project_id, "before": question.asked_at - KEPT_FOR},
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
