"""Which releases are to be looked at: new ones, those that turn out to have begun earlier, and
those that nobody announced when a deploy of their service and env was announced or changed.

An announcement takes the place of what telemetry has shown by itself. This is for what it leaves:
releases without a deploy, and the second of two that only the announcement ties together.
"""

from collections.abc import Iterator
from typing import NamedTuple

from miniapm.clock import DAY, SECOND
from miniapm.domain.releases import SeenRelease
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import find_latest_change


class FreshRelease(NamedTuple):
    """A release to look at. `deploy_id` is None where it has no deploy yet."""

    project_id: int
    id: int
    deploy_id: int | None
    seen: SeenRelease


class _Waiting(NamedTuple):
    """A project with releases that nobody announced, whose deploys changed after `looked_at`."""

    project_id: int
    looked_at: int


# `looked_at` is 0 for those that are to be looked at
_WAITING = """looked_at > 0 and (version <> '' or revision <> '') and (
    deploy_id is null or first_seen_at > :recent and exists (
        select 1 from deploys d where d.project_id = releases.project_id
            and d.id = releases.deploy_id and d.sources = 'telemetry'))"""
_RECENT = DAY
_IN_FLIGHT = 5 * SECOND


def has_new_releases(connection: Connection, now: int) -> bool:
    """Whether there is anything to look at: as cheap as releases are few."""
    fresh = scalar(
        connection, "/* releases.has_new */ select 1 from releases where looked_at = 0 limit 1"
    )
    return fresh is not None or any(_find_waiting(connection, now))


def take_fresh(connection: Connection, now: int, most: int) -> list[FreshRelease]:
    """At most so many releases to look at, first seen first."""
    for waiting in list(_find_waiting(connection, now)):
        _wake(connection, waiting, now)
    rows = connection.execute(
        """/* releases.find_new */ select project_id, id, deploy_id, service, env, version,
            revision, first_seen_at, recorded_at
        from releases where looked_at = 0 and project_id in (select id from projects)
        order by first_seen_at, id limit :most""",
        {"most": most},
    )
    return [
        FreshRelease(
            project_id, release_id, deploy_id, SeenRelease(ReleaseName(*name), first_seen_at, at)
        )
        for project_id, release_id, deploy_id, *name, first_seen_at, at in rows
    ]


def set_deploy(
    connection: Connection, release: FreshRelease, deploy_id: int | None, now: int
) -> None:
    """Notes that the release was looked at, and which deploy it is."""
    connection.execute(
        """/* releases.set_deploy */ update releases
        set deploy_id = :deploy_id, looked_at = :looked_at
        where project_id = :project_id and id = :id""",
        {
            "project_id": release.project_id,
            "id": release.id,
            "deploy_id": deploy_id,
            "looked_at": _looked_at(now),
        },
    )


def _looked_at(now: int) -> int:
    """What was recorded at about the same time may not have been there yet: it is looked at once
    more."""
    return max(1, now - _IN_FLIGHT)


def _find_waiting(connection: Connection, now: int) -> Iterator[_Waiting]:
    rows = connection.execute(
        f"""/* releases.find_waiting */ select project_id, min(looked_at) from releases
        where {_WAITING} group by project_id""",
        {"recent": now - _RECENT},
    ).fetchall()
    for project_id, looked_at in rows:
        latest = find_latest_change(connection, project_id)
        if latest > looked_at:
            yield _Waiting(project_id, looked_at)


def _wake(connection: Connection, waiting: _Waiting, now: int) -> None:
    values = {
        "project_id": waiting.project_id,
        "recent": now - _RECENT,
        "since": waiting.looked_at,
        "looked_at": _looked_at(now),
    }
    lanes = connection.execute(
        """/* deploys.changed_lanes */ select distinct service, env from deploys
        where project_id = :project_id and updated_at >= :since and sources <> 'telemetry'""",
        values,
    ).fetchall()
    connection.execute(
        f"""/* releases.wait_on */ update releases set looked_at = :looked_at
        where project_id = :project_id and looked_at < :looked_at and {_WAITING}""",
        values,
    )
    connection.executemany(
        f"""/* releases.wake */ update releases set looked_at = 0
        where project_id = :project_id and service = :service and env = :env and {_WAITING}""",
        [{**values, "service": service, "env": env} for service, env in lanes],
    )
