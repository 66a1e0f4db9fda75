"""Groups of errors: one row each, read and written whole."""

import msgspec

from miniapm.domain.errors.groups import change_state
from miniapm.domain.errors.values import Group, State
from miniapm.exceptions import NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.surroundings import find_live_at
from miniapm.storage.projects import Project

_NAMES = Group.__struct_fields__
COLUMNS = ", ".join(_NAMES)
_KEPT = ("id", "project_id", "service", "fingerprint", "exception_class")
_CHANGING = ", ".join(f"{name} = :{name}" for name in _NAMES if name not in _KEPT)
_ACTIONS: dict[State, str] = {
    "open": "error.reopen",
    "resolved": "error.resolve",
    "ignored": "error.ignore",
}


def find_group(
    connection: Connection, project_id: int, service: str, fingerprint: str
) -> Group | None:
    row = connection.execute(
        f"""/* error_groups.find_one */ select {COLUMNS} from error_groups
        where project_id = :project_id and service = :service and fingerprint = :fingerprint""",
        {"project_id": project_id, "service": service, "fingerprint": fingerprint},
    ).fetchone()
    return None if row is None else Group(**row)


def get_group(connection: Connection, project_id: int, group_id: int) -> Group:
    """One group; NotFound also when it is another project's."""
    row = connection.execute(
        f"""/* error_groups.get */ select {COLUMNS} from error_groups
        where project_id = :project_id and id = :id""",
        {"project_id": project_id, "id": group_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such error in this project.")
    return Group(**row)


def get_owner(connection: Connection, group_id: int) -> Project:
    """The project that a group belongs to, for callers that may see several."""
    row = connection.execute(
        """/* error_groups.get_owner */ select p.id, p.slug, p.name, p.created_at
        from error_groups g join projects p on p.id = g.project_id where g.id = :id""",
        {"id": group_id},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such error.")
    return Project(*row)


def count_groups(connection: Connection, project_id: int) -> int:
    sql = "/* error_groups.count */ select count(*) from error_groups where project_id = :id"
    return int(scalar(connection, sql, id=project_id))


def insert_group(connection: Connection, group: Group) -> None:
    connection.execute(
        f"""/* error_groups.insert */ insert into error_groups ({COLUMNS}, search)
        values ({", ".join(f":{name}" for name in _NAMES)}, :search)""",
        _to_row(group),
    )


def update_group(connection: Connection, group: Group) -> None:
    """Writes all that may change of a group."""
    connection.execute(
        f"""/* error_groups.update */ update error_groups set {_CHANGING}, search = :search
        where project_id = :project_id and id = :id""",
        _to_row(group),
    )


def set_state(
    connection: Connection, act: Act, project_id: int, group_id: int, state: State
) -> Group:
    """The group as a person wants it, with a line in the audit trail where that changes it."""
    before = get_group(connection, project_id, group_id)
    if before.state == state and not (state == "open" and before.is_regressed):
        return before
    group = change_state(before, state, act.actor, act.at)
    update_group(connection, group)
    note(connection, act, project_id, _ACTIONS[state], f"error {group.id}", group.exception_class)
    return group


def find_deploy_at(
    connection: Connection, project_id: int, service: str, env: str, at: int
) -> int | None:
    """The id of the deploy that was live in `service` and `env` at `at`."""
    deploy = find_live_at(connection, project_id, service, env, at)
    return None if deploy is None else deploy.id


def _to_row(group: Group) -> dict[str, object]:
    searched = (group.exception_class, group.message, group.culprit, group.fingerprint)
    return {**msgspec.structs.asdict(group), "search": "\n".join(searched).casefold()}
