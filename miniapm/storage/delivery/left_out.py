"""The deploys of a stretch of time that stand in no number: how many for each reason, and which."""

from typing import Any, NamedTuple

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.lanes import find_counted_lanes
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.in_lists import bind_list


class LeftOut(NamedTuple):
    """How many deploys count nowhere, each under the first reason that holds. `redeploys` is told
    by the fold."""

    hidden: int = 0
    other_environments: int = 0
    left_out: int = 0
    failed: int = 0
    cancelled: int = 0
    timed_out: int = 0
    started: int = 0
    redeploys: int = 0


class _Told(NamedTuple):
    """SQL that says why a deploy counts nowhere, `succeeded` for one that does; where to look."""

    reason: str
    where: str
    values: dict[str, Any]


def count_left_out(
    connection: Connection, project_id: int, asked: Asked, rules: DeliveryRules
) -> LeftOut:
    """Of the deploys that are asked for, those that are not live where it counts."""
    told = _tell(connection, project_id, asked, rules)
    rows = connection.execute(
        f"""/* delivery.count_left_out */ select {told.reason} as reason, count(*) from deploys
        where {told.where} group by reason""",
        told.values,
    )
    return LeftOut(**{row[0]: row[1] for row in rows if row[0] != "succeeded"})


def find_left_out(
    connection: Connection,
    project_id: int,
    asked: Asked,
    rules: DeliveryRules,
    reason: str,
) -> list[Cursor]:
    """Exactly those that `count_left_out` counts for `reason`, a field of LeftOut, the newest
    first."""
    told = _tell(connection, project_id, asked, rules)
    rows = connection.execute(
        f"""/* delivery.find_left_out */ select deployed_at, id from deploys
        where {told.where} and {told.reason} = :wanted
        order by deployed_at desc, id desc""",
        {**told.values, "wanted": reason},
    )
    return [Cursor(*row) for row in rows]


def _tell(connection: Connection, project_id: int, asked: Asked, rules: DeliveryRules) -> _Told:
    where = ["project_id = :project_id", "deployed_at >= :since", "deployed_at < :until"]
    where += ["env = :env"] * (asked.env is not None)
    where += ["service = :service"] * (asked.service is not None)
    lanes = find_counted_lanes(connection, project_id, asked.env, asked.service, rules)
    names, envs = bind_list("e", sorted({lane.env for lane in lanes}))
    counted = f"env in ({names})" if envs else "1 = 0"
    reason = f"""case when hidden_at is not null then 'hidden'
        when not {counted} then 'other_environments'
        when is_left_out = 1 then 'left_out' else status end"""
    values = {"project_id": project_id, **asked._asdict(), **envs}
    return _Told(reason, " and ".join(where), values)
