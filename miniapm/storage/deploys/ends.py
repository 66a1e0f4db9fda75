"""Ends of deploys as foreign clients tell them: without saying again what began, or by our id."""

from typing import Any

import msgspec

from miniapm.clock import DAY
from miniapm.domain.deploys.values import Announcement, Deploy, Status
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.change import Changed, edit_deploy
from miniapm.storage.deploys.record import Recorded, record_announcement


def record_end(
    connection: Connection, announcement: Announcement, new_id: int, timeout: int
) -> Recorded:
    """As `record_announcement`; an end that names no environment is that of the deploy of the same
    service and revision which began last and has not ended, if there is one."""
    if "env" not in announcement.given:
        env = _find_open_env(connection, announcement)
        if env is not None:
            announcement = msgspec.structs.replace(announcement, env=env)
    return record_announcement(connection, announcement, new_id, timeout)


def change_outcome(
    connection: Connection, act: Act, deploy: Deploy, status: Status | None, comment: str | None
) -> Changed:
    """Gives a deploy another status and description; None leaves what is. What ends, ends now."""
    given: dict[str, Any] = {}
    if status is not None and status != deploy.status:
        given["status"] = "failed" if status == "timed_out" else status
    if comment is not None:
        given["description"] = comment
    return edit_deploy(
        connection, act, deploy.project_id, deploy.id, given, is_timed_out=status == "timed_out"
    )


def _find_open_env(connection: Connection, announcement: Announcement) -> str | None:
    found = scalar(
        connection,
        """/* deploys.find_open_env */ select env from deploys
        where project_id = :project_id and service = :service and git_sha = :git_sha
            and status in ('started', 'timed_out') and hidden_at is null
            and deployed_at >= :since
        order by deployed_at desc, id desc limit 1""",
        project_id=announcement.project_id,
        service=announcement.service,
        git_sha=announcement.git_sha,
        since=announcement.at - DAY,
    )
    return None if found is None else str(found)
