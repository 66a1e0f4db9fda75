"""When telemetry showed deploys first."""

from collections.abc import Sequence

from miniapm.domain.deploys.values import Deploy
from miniapm.storage.connection import Connection, scalar


def find_first_seen(connection: Connection, deploys: Sequence[Deploy]) -> dict[int, int]:
    """By deploy, when the first of its releases was first seen (µs); only those that were seen.

    One index look-up for each deploy.
    """
    found = {}
    for deploy in deploys:
        at = scalar(
            connection,
            """/* releases.find_first_seen */ select min(first_seen_at) from releases
            where project_id = :project_id and deploy_id = :deploy_id""",
            project_id=deploy.project_id,
            deploy_id=deploy.id,
        )
        if at is not None:
            found[deploy.id] = int(at)
    return found
