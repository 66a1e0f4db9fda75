"""Correcting, hiding and restoring deploys; every change is kept and can be undone."""

from collections.abc import Mapping
from typing import Any

import msgspec

from miniapm.domain.deploys.corrections import correct_deploy
from miniapm.domain.deploys.values import Deploy
from miniapm.exceptions import NotFound
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection, Row
from miniapm.storage.deploys.beside_api import settle
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.rows import update_row

_RECORDED = frozenset(Deploy.__struct_fields__) - {"id", "project_id", "updated_at"}


class Change(msgspec.Struct, frozen=True):
    """One correction. `before` and `after` hold the fields that it changed, by column."""

    id: int
    deploy_id: int
    actor: str
    changed_at: int
    before: dict[str, Any]
    after: dict[str, Any]


class Changed(msgspec.Struct, frozen=True):
    """A deploy after a change; `change_id` undoes it, None when nothing was different."""

    deploy: Deploy
    change_id: int | None


def edit_deploy(
    connection: Connection,
    act: Act,
    project_id: int,
    deploy_id: int,
    given: Mapping[str, Any],
    *,
    is_timed_out: bool = False,
) -> Changed:
    """Applies the fields in `given` (as JSON decodes them). Invalid names the bad ones.

    `is_timed_out` says that it failed because its time ran out.
    """
    before = get_deploy(connection, project_id, deploy_id)
    after = correct_deploy(before, given, act.at)
    if is_timed_out:
        after = msgspec.structs.replace(after, status="timed_out")
    return _store(connection, act, before, after)


def hide_deploy(connection: Connection, act: Act, project_id: int, deploy_id: int) -> Changed:
    """Takes a deploy out of lists and numbers; the row stays."""
    before = get_deploy(connection, project_id, deploy_id)
    hidden_at = act.at if before.hidden_at is None else before.hidden_at
    return _store(connection, act, before, msgspec.structs.replace(before, hidden_at=hidden_at))


def restore_deploy(connection: Connection, act: Act, project_id: int, deploy_id: int) -> Changed:
    """Brings a hidden deploy back."""
    before = get_deploy(connection, project_id, deploy_id)
    return _store(connection, act, before, msgspec.structs.replace(before, hidden_at=None))


def undo_change(
    connection: Connection, act: Act, project_id: int, deploy_id: int, change_id: int
) -> Changed:
    """Puts back what the change found; a new change of its own, so it can be undone too."""
    deploy = get_deploy(connection, project_id, deploy_id)
    change = next(
        (c for c in find_changes(connection, project_id, deploy_id) if c.id == change_id), None
    )
    if change is None:
        raise NotFound("There is no such change of this deploy.")
    values = msgspec.convert({**msgspec.to_builtins(deploy), **change.before}, Deploy)
    return _store(connection, act, deploy, values)


def find_changes(connection: Connection, project_id: int, deploy_id: int) -> list[Change]:
    """All corrections of a deploy, newest first."""
    rows = connection.execute(
        """/* deploys.find_changes */ select id, deploy_id, actor, changed_at, before, after
        from deploy_changes where project_id = :project_id and deploy_id = :deploy_id
        order by id desc""",
        {"project_id": project_id, "deploy_id": deploy_id},
    )
    return [_to_change(row) for row in rows]


def _to_change(row: Row) -> Change:
    before, after = (msgspec.json.decode(row[name]) for name in ("before", "after"))
    return Change(row["id"], row["deploy_id"], row["actor"], row["changed_at"], before, after)


def _store(connection: Connection, act: Act, before: Deploy, after: Deploy) -> Changed:
    different = [name for name in _RECORDED if getattr(before, name) != getattr(after, name)]
    if not different:
        return Changed(before, None)
    stored = msgspec.structs.replace(after, updated_at=max(act.at, before.updated_at + 1))
    update_row(connection, stored)
    change_id = act.make_id()
    connection.execute(
        """/* deploys.insert_change */ insert into deploy_changes
            (id, project_id, deploy_id, actor, before, after, changed_at)
        values (:id, :project_id, :deploy_id, :actor, :before, :after, :changed_at)""",
        {
            "id": change_id,
            "project_id": before.project_id,
            "deploy_id": before.id,
            "actor": act.actor,
            "before": _encode(before, different),
            "after": _encode(stored, different),
            "changed_at": act.at,
        },
    )
    for service, env in {(each.service, each.env) for each in (before, stored)}:
        settle(connection, before.project_id, service, env, act.at)
    return Changed(get_deploy(connection, before.project_id, before.id), change_id)


def _encode(deploy: Deploy, names: list[str]) -> str:
    return msgspec.json.encode({name: getattr(deploy, name) for name in sorted(names)}).decode()
