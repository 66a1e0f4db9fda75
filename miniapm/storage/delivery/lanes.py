"""Which lanes count, and since when."""

from collections.abc import Sequence

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.values import Lane
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import find_lanes


def find_counted_lanes(
    connection: Connection,
    project_id: int,
    env: str | None,
    service: str | None,
    rules: DeliveryRules,
) -> list[Lane]:
    """The lanes whose deploys count: those of `env`, or of every production environment."""
    return [
        Lane(project_id, its_service, its_env)
        for its_service, its_env in find_lanes(connection, project_id)
        if service in (None, its_service)
        and (its_env == env if env is not None else rules.is_production(its_env))
    ]


def find_first_live(connection: Connection, lanes: Sequence[Lane]) -> dict[str, int]:
    """By service, when the first deploy to any of its `lanes` went live; without those of which
    none did."""
    firsts: dict[str, int] = {}
    for lane in lanes:
        first = scalar(
            connection,
            """/* delivery.first */ select min(deployed_at) from deploys
            where project_id = :project_id and service = :service and env = :env
                and status = 'succeeded' and hidden_at is null and is_left_out = 0""",
            **lane._asdict(),
        )
        if first is not None:
            firsts[lane.service] = min(first, firsts.get(lane.service, first))
    return firsts
