"""Ending the deploys whose end never came."""

from miniapm.domain.deploys.lifecycle import time_out
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.beside_api import settle
from miniapm.storage.deploys.rows import COLUMNS, to_deploys, update_row


def time_out_started(connection: Connection, timeout: int, now: int) -> int:
    """Ends the deploys whose end never came; how many.

    Counts from the start and from when we last heard of it, whichever is later, so that a start
    that arrives late still has its hour.
    """
    rows = connection.execute(
        f"""/* deploys.find_overdue */ select {COLUMNS} from deploys
        where status = 'started' and updated_at <= :overdue and deployed_at <= :overdue""",
        {"overdue": now - timeout},
    ).fetchall()
    for row in rows:
        for deploy in to_deploys(connection, row["project_id"], [row]):
            update_row(connection, time_out(deploy, timeout, now))
            settle(connection, deploy.project_id, deploy.service, deploy.env, now)
    return len(rows)
