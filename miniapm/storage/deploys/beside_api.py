"""Deploys that only GitHub told of, where the API tells of deploys, too: they are left out of every
number from the first one of the API on, by deploy time, unless a setting says otherwise.

`deploys.is_left_out` says so in each row. It is kept right by looking at a whole service and env
again whenever a deploy of it was recorded or changed: so it does not matter what came first.
"""

from typing import LiteralString

from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.versions import count_up

LEAVE_OUT = "leave out"
COUNT = "count"
_RULE = "github_beside_api"
_NEVER = 2**63 - 1


def settle(connection: Connection, project_id: int, service: str, env: str, now: int) -> None:
    """Marks the deploys of a service and env as they are to be; `now` in µs."""
    lane = {"project_id": project_id, "service": service, "env": env}
    if not _has_github(connection, lane):
        return
    since = _NEVER
    if find_rule(connection) != COUNT:
        since = _find_first_of_api(connection, lane)
    changes: tuple[tuple[int, LiteralString], ...] = ((0, ">="), (1, "<"))
    for flag, side in changes if since != _NEVER else changes[1:]:
        connection.execute(
            f"""/* deploys.settle */ update deploys set is_left_out = 1 - is_left_out,
                updated_at = case when updated_at < :now then :now else updated_at + 1 end
            where project_id = :project_id and service = :service and env = :env
                and sources = 'github' and is_left_out = {flag} and deployed_at {side} :since""",
            {**lane, "since": since, "now": now},
        )
    count_up(connection, [(project_id, service)])


def apply_rule(connection: Connection, rule: str, now: int) -> None:
    """Marks everything by `rule`, if what is there was marked by another one."""
    if find_rule(connection) == rule:
        return
    connection.execute(
        """/* delivery_rules.store */ insert into delivery_rules (name, value)
        values (:name, :value) on conflict (name) do update set value = excluded.value""",
        {"name": _RULE, "value": rule},
    )
    lanes = connection.execute(
        """/* deploys.github_lanes */ select distinct project_id, service, env from deploys
        where sources = 'github'"""
    ).fetchall()
    for project_id, service, env in lanes:
        settle(connection, project_id, service, env, now)


def find_rule(connection: Connection) -> str:
    """The rule by which deploys are marked."""
    found = scalar(
        connection,
        "/* delivery_rules.find */ select value from delivery_rules where name = :name",
        name=_RULE,
    )
    return LEAVE_OUT if found is None else str(found)


def _has_github(connection: Connection, lane: dict[str, object]) -> bool:
    found = scalar(
        connection,
        """/* deploys.has_github */ select 1 from deploys
        where project_id = :project_id and service = :service and env = :env
            and sources = 'github' limit 1""",
        **lane,
    )
    return found is not None


def _find_first_of_api(connection: Connection, lane: dict[str, object]) -> int:
    # hidden ones count for nothing, and so they leave nothing out
    found = scalar(
        connection,
        """/* deploys.first_of_api */ select deployed_at from deploys
        where project_id = :project_id and service = :service and env = :env
            and sources <> 'github' and sources <> 'import' and sources <> 'telemetry'
            and hidden_at is null and (sources = 'api' or sources like 'api,%'
                or sources like '%,api' or sources like '%,api,%')
        order by deployed_at limit 1""",
        **lane,
    )
    return _NEVER if found is None else int(found)
