"""Which deploy a release is, by what telemetry calls it."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.domain.deploys.commits import is_sha
from miniapm.domain.deploys.values import SHA_PREFIX, Deploy
from miniapm.domain.releases import (
    SeenRelease,
    find_announced_after,
    find_announced_before,
    find_observed,
    is_same,
    label_deploy,
    label_release,
)
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.adoption import other_went_live
from miniapm.storage.deploys.rows import COLUMNS, to_deploys
from miniapm.storage.prefixes import end_of

# versions have no index: they are looked for among so many deploys before and after
_NEAR = 500
_MOST_OF_SHA = 50


class Matched(NamedTuple):
    """The announced deploy that a release is, and those that telemetry had shown of it before."""

    announced: Deploy | None
    observed: list[Deploy]


def match_release(connection: Connection, project_id: int, release: SeenRelease) -> Matched:
    """What was announced before it was seen is meant, however long ago; what was announced after
    only if no other version went live in between."""
    rows = find_named(connection, project_id, release)
    announced = find_announced_before(rows, release.first_seen_at)
    if announced is None:
        announced = find_announced_after(rows, release.first_seen_at)
        if announced is not None and other_went_live(
            connection,
            announced,
            release.first_seen_at,
            announced.deployed_at,
            label_release(release.name),
        ):
            announced = None
    return Matched(announced, find_observed(release, rows))


def find_named(connection: Connection, project_id: int, release: SeenRelease) -> list[Deploy]:
    """The deploys of its service and env that go by a name of the release."""
    label = label_release(release.name)
    found = [
        *_find_by_sha(connection, project_id, release),
        *_find_by_version(connection, project_id, release),
    ]
    same = [d for d in found if is_same(label, label_deploy(d.git_sha, d.version))]
    same += _find_by_siblings(connection, project_id, release)
    return list({deploy.id: deploy for deploy in same}.values())


def _find_by_sha(connection: Connection, project_id: int, release: SeenRelease) -> list[Deploy]:
    name = release.name
    found: list[Deploy] = []
    for text in label_release(name).names:
        begin, end = text, text
        if is_sha(text):
            begin, end = text[:SHA_PREFIX], end_of(text[:SHA_PREFIX])
        found += _select(
            connection,
            project_id,
            f"""service = :service and env = :env and git_sha >= :begin and git_sha <= :end
            order by deployed_at desc limit {_MOST_OF_SHA}""",
            {"service": name.service, "env": name.env, "begin": begin, "end": end},
        )
    return found


def _find_by_version(connection: Connection, project_id: int, release: SeenRelease) -> list[Deploy]:
    name = release.name
    if not name.version:
        return []
    found: list[Deploy] = []
    for side, order in (("<=", "desc"), (">", "asc")):
        found += _select(
            connection,
            project_id,
            f"""version = :version and id in (
                select id from deploys
                where project_id = :project_id and service = :service and env = :env
                    and deployed_at {side} :at
                order by deployed_at {order} limit {_NEAR})""",
            {
                "service": name.service,
                "env": name.env,
                "version": name.version,
                "at": release.first_seen_at,
            },
        )
    return found


def _find_by_siblings(
    connection: Connection, project_id: int, release: SeenRelease
) -> list[Deploy]:
    """The deploys of releases of the same version that tell their commit, where this does not."""
    name = release.name
    if name.revision:
        return []
    return _select(
        connection,
        project_id,
        """id in (
            select deploy_id from releases
            where project_id = :project_id and service = :service and env = :env
                and version = :version and deploy_id is not null)""",
        {"service": name.service, "env": name.env, "version": name.version},
    )


def find_by_id(connection: Connection, project_id: int, deploy_id: int) -> Deploy | None:
    """One deploy, hidden or not; None when it is gone."""
    found = _select(connection, project_id, "id = :id", {"id": deploy_id})
    return found[0] if found else None


def _select(
    connection: Connection, project_id: int, where: str, values: Mapping[str, object]
) -> list[Deploy]:
    rows = connection.execute(
        f"""/* deploys.find_for_release */ select {COLUMNS} from deploys
        where project_id = :project_id and {where}""",
        {**values, "project_id": project_id},
    ).fetchall()
    return to_deploys(connection, project_id, rows)
