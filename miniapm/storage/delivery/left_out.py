"""The deploys of a stretch of time that stand in no number, counted by the reason."""

from typing import NamedTuple

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.storage.connection import Connection


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


def count_left_out(
    connection: Connection,
    project_id: int,
    env: str | None,
    service: str | None,
    since: int,
    until: int,
    rules: DeliveryRules,
) -> LeftOut:
    """Of the deploys in since <= t < until (µs), those that are not live where it counts; of `env`
    alone where one is asked for."""
    where = ["env = :env"] * (env is not None) + ["service = :service"] * (service is not None)
    rows = connection.execute(
        f"""/* delivery.count_left_out */
        select env, status, hidden_at is not null, is_left_out, count(*) from deploys
        where {" and ".join(["project_id = :project_id", *where])}
            and deployed_at >= :since and deployed_at < :until
        group by env, status, hidden_at is not null, is_left_out""",
        {
            "project_id": project_id,
            "env": env,
            "service": service,
            "since": since,
            "until": until,
        },
    )
    counts = dict.fromkeys(LeftOut._fields, 0)
    for its_env, status, is_hidden, is_left_out, count in rows:
        if is_hidden:
            counts["hidden"] += count
        elif env is None and not rules.is_production(its_env):
            counts["other_environments"] += count
        elif is_left_out:
            counts["left_out"] += count
        elif status != "succeeded":
            counts[status] += count
    return LeftOut(**counts)
