"""Deploys whose sender does not know their revision: telemetry does, if its application says so.

Whichever comes first, the version that was first seen about when such a deploy ended is its own.
"""

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.domain.receivers.announcing import name_nameless
from miniapm.domain.releases import SeenRelease
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import COLUMNS, to_deploys, update_row

_NAMED_BY = ("coolify", "heroku")
NAMED_WITHIN = 30 * MINUTE


def name_by_telemetry(connection: Connection, announcement: Announcement) -> Announcement:
    """The announcement with the revision of the version that telemetry has shown last, if that was
    just now and nobody announced it."""
    if announcement.status != "succeeded":
        return announcement
    row = connection.execute(
        """/* deploys.find_fresh_observed */ select git_sha, version from deploys
        where project_id = :project_id and service = :service and env = :env
            and sources = 'telemetry' and hidden_at is null
            and deployed_at >= :since and deployed_at <= :until
        order by deployed_at desc, id desc limit 1""",
        {
            "project_id": announcement.project_id,
            "service": announcement.service,
            "env": announcement.env,
            "since": announcement.at - NAMED_WITHIN,
            "until": announcement.at + NAMED_WITHIN,
        },
    ).fetchone()
    if row is None:
        return announcement
    git_sha, version = row
    return msgspec.structs.replace(
        announcement, git_sha=git_sha, version=announcement.version or version
    )


def name_by_release(
    connection: Connection, project_id: int, release: SeenRelease, now: int
) -> Deploy | None:
    """The nameless deploy that ended nearest to when `release` was first seen, named by it; None
    where there is none."""
    at, name = release.first_seen_at, release.name
    rows = connection.execute(
        f"""/* deploys.find_nameless */ select {COLUMNS} from deploys
        where project_id = :project_id and service = :service and env = :env
            and status = 'succeeded' and hidden_at is null
            and sources in ({", ".join(f"'{source}'" for source in _NAMED_BY)})
            and deployed_at >= :since and deployed_at <= :until""",
        {
            "project_id": project_id,
            "service": name.service,
            "env": name.env,
            "since": at - NAMED_WITHIN,
            "until": at + NAMED_WITHIN,
        },
    ).fetchall()
    found = [d for d in to_deploys(connection, project_id, rows) if _is_nameless(d)]
    if not found:
        return None
    deploy = min(found, key=lambda one: (abs(one.deployed_at - at), one.id))
    named = msgspec.structs.replace(
        deploy,
        git_sha=name.revision or name.version,
        version=deploy.version or name.version or None,
        updated_at=max(now, deploy.updated_at + 1),
    )
    update_row(connection, named)
    return named


def _is_nameless(deploy: Deploy) -> bool:
    return deploy.git_sha.startswith(name_nameless(deploy.sources[0], ""))
