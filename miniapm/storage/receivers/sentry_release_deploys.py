"""Deploys of releases: recorded with what these name, and mended when they name more later."""

from typing import NamedTuple

import msgspec

from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.receivers.sentry import (
    DeployReport,
    Release,
    ReleaseReport,
    announce_release_deploy,
)
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.deploys.rows import COLUMNS, insert_commits, to_deploys, update_row
from miniapm.storage.receivers.sentry_releases import (
    find_brought,
    find_release,
    store_release,
)

MOST_LISTED = 100


class ReleaseSender(NamedTuple):
    """Who tells of a release. `service` is the key's own, None where it has none; `timeout` (µs)
    is `deploys.timeout`."""

    defaults: Defaults
    service: str | None
    timeout: int


class ChangedRelease(NamedTuple):
    """A release as it is now, and the deploys that came before what was told of it: each is to be
    mended in a write of its own, so that no other waits for all of them."""

    release: Release
    to_mend: list[int]


def record_release_deploy(
    connection: Connection, report: DeployReport, sender: ReleaseSender, new_id: int, now: int
) -> Deploy:
    """The deploy as it is stored; its release is made where it was not known. Invalid names every
    bad field."""
    project_id = sender.defaults.project_id
    asked = ReleaseReport(version=report.version, projects=report.projects)
    release = store_release(connection, project_id, asked, now)
    announcement = announce_release_deploy(report, release, sender.service, sender.defaults, now)
    brought = find_brought(
        connection, project_id, announcement.service, announcement.env, announcement.at, release
    )
    announcement = msgspec.structs.replace(announcement, commits=brought)
    recorded = record_announcement(connection, announcement, new_id, sender.timeout)
    connection.execute(
        """/* foreign_releases.insert_deploy */ insert into foreign_release_deploys
            (project_id, version, deploy_id)
        values (:project_id, :version, :deploy_id)
        on conflict (project_id, version, deploy_id) do nothing""",
        {
            "project_id": project_id,
            "version": report.version,
            "deploy_id": recorded.deploy_id,
        },
    )
    return get_deploy(connection, project_id, recorded.deploy_id)


def change_release(
    connection: Connection, project_id: int, report: ReleaseReport, now: int
) -> ChangedRelease:
    """Stores what is said of a release."""
    release = store_release(connection, project_id, report, now)
    if report.head is None and not report.commits:
        return ChangedRelease(release, [])
    deploys = find_release_deploys(connection, project_id, report.version)
    return ChangedRelease(release, [deploy.id for deploy in deploys])


def find_release_deploys(connection: Connection, project_id: int, version: str) -> list[Deploy]:
    """The deploys of a release that are not hidden, newest first."""
    rows = connection.execute(
        f"""/* foreign_releases.find_deploys */ select {COLUMNS} from deploys
        where project_id = :project_id and hidden_at is null and id in (
            select deploy_id from foreign_release_deploys
            where project_id = :project_id and version = :version)
        order by deployed_at desc, id desc limit {MOST_LISTED}""",
        {"project_id": project_id, "version": version},
    ).fetchall()
    return to_deploys(connection, project_id, rows)


def mend_release_deploy(
    connection: Connection, project_id: int, version: str, deploy_id: int, now: int
) -> None:
    """Gives a deploy the commits of its release that were told after it. Leaves it as it is where
    the release is gone by now."""
    release = find_release(connection, project_id, version)
    if release is None:
        return
    deploy = get_deploy(connection, project_id, deploy_id)
    brought = find_brought(
        connection, project_id, deploy.service, deploy.env, deploy.deployed_at, release
    )
    insert_commits(connection, deploy, brought)
    # what a person or another sender wrote there stays
    git_sha = release.git_sha if deploy.git_sha == release.version else deploy.git_sha
    update_row(
        connection,
        msgspec.structs.replace(
            deploy, git_sha=git_sha, updated_at=max(now, deploy.updated_at + 1)
        ),
    )
