"""Releases as Sentry's clients make them, with their commits, until and after they are deployed."""

from collections.abc import Sequence

import msgspec

from miniapm.domain.deploys.values import Commit
from miniapm.domain.receivers.sentry import Release, ReleaseReport, join_commits, merge_release
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.receivers.forgetting import MOST_PER_PROJECT, forget_beyond, forget_release

_COLUMNS = "version, created_at, projects, head, url, released_at"
MOST_LISTED = 100
# a deploy keeps no more commits than one release can have
_MOST_JOINED = 100
_MOST_LOOKED_AT = 1000


def get_release(connection: Connection, project_id: int, version: str) -> Release:
    """NotFound where there is none."""
    release = find_release(connection, project_id, version)
    if release is None:
        raise NotFound(f"There is no release {version}.")
    return release


def find_release(connection: Connection, project_id: int, version: str) -> Release | None:
    row = connection.execute(
        f"""/* foreign_releases.get */ select {_COLUMNS} from foreign_releases
        where project_id = :project_id and version = :version""",
        {"project_id": project_id, "version": version},
    ).fetchone()
    return None if row is None else _to_release(row)


def find_releases(connection: Connection, project_id: int) -> list[Release]:
    """The newest ones, newest first."""
    rows = connection.execute(
        f"""/* foreign_releases.find */ select {_COLUMNS} from foreign_releases
        where project_id = :project_id order by created_at desc, version limit {MOST_LISTED}""",
        {"project_id": project_id},
    )
    return [_to_release(row) for row in rows]


def store_release(
    connection: Connection, project_id: int, report: ReleaseReport, now: int
) -> Release:
    """The release after `report`, new where it was not known; commits replace those before."""
    known = find_release(connection, project_id, report.version)
    release = merge_release(known or Release(version=report.version, created_at=now), report)
    connection.execute(
        """/* foreign_releases.store */ insert into foreign_releases
            (project_id, version, projects, head, url, created_at, released_at)
        values (:project_id, :version, :projects, :head, :url, :created_at, :released_at)
        on conflict (project_id, version) do update set projects = excluded.projects,
            head = excluded.head, url = excluded.url, released_at = excluded.released_at""",
        {
            "project_id": project_id,
            **msgspec.structs.asdict(release),
            "projects": msgspec.json.encode(release.projects).decode(),
        },
    )
    if known is None:
        forget_beyond(connection, project_id, MOST_PER_PROJECT)
    if report.commits:
        _replace_commits(connection, project_id, report.version, report.commits)
    return release


def delete_release(connection: Connection, project_id: int, version: str) -> None:
    """Forgets a release and its commits; deploys of it stay. NotFound where there is none."""
    get_release(connection, project_id, version)
    forget_release(connection, project_id, version)


def find_release_commits(connection: Connection, project_id: int, version: str) -> list[Commit]:
    """Newest first."""
    rows = connection.execute(
        """/* foreign_releases.find_commits */ select sha, committed_at, message, author
        from foreign_release_commits where project_id = :project_id and version = :version
        order by position""",
        {"project_id": project_id, "version": version},
    )
    return [Commit(*row) for row in rows]


def find_previous_with_commits(
    connection: Connection, project_id: int, version: str
) -> tuple[Release, list[Commit]] | None:
    """The latest release of the same projects before this one that has commits; None where there
    is none. An unknown release comes after all."""
    release = find_release(connection, project_id, version)
    values: dict[str, object] = {"project_id": project_id, "version": version}
    where = ""
    if release is not None:
        where = "and created_at < :created_at and projects = :projects"
        values |= {"created_at": release.created_at, "projects": _encode(release.projects)}
    row = connection.execute(
        f"""/* foreign_releases.find_previous */ select {_COLUMNS} from foreign_releases r
        where project_id = :project_id and version <> :version {where}
            and exists (select 1 from foreign_release_commits c
                where c.project_id = r.project_id and c.version = r.version)
        order by created_at desc, version limit 1""",
        values,
    ).fetchone()
    if row is None:
        return None
    previous = _to_release(row)
    return previous, find_release_commits(connection, project_id, previous.version)


def find_brought(
    connection: Connection, project_id: int, service: str, env: str, at: int, release: Release
) -> tuple[Commit, ...]:
    """The commits that a deploy of `release` at `at` (µs) brings to a service and env: its own, and
    those of the releases of the same projects that came after the one live there.

    Of the first deploy there only its own; none where a later release was live.
    """
    live_at = scalar(
        connection,
        f"""/* foreign_releases.find_live */ select r.created_at
        from (select id, deployed_at from deploys
                where project_id = :project_id and service = :service and env = :env
                    and status = 'succeeded' and hidden_at is null and deployed_at < :at
                order by deployed_at desc, id desc limit {_MOST_LOOKED_AT}) d
            join foreign_release_deploys l on l.project_id = :project_id and l.deploy_id = d.id
            join foreign_releases r on r.project_id = :project_id and r.version = l.version
        where r.version <> :version
        order by d.deployed_at desc, d.id desc limit 1""",
        project_id=project_id,
        service=service,
        env=env,
        at=at,
        version=release.version,
    )
    versions = [release.version]
    if live_at is not None:
        versions = _find_versions_between(connection, project_id, live_at, release)
    return join_commits(find_release_commits(connection, project_id, one) for one in versions)


def _find_versions_between(
    connection: Connection, project_id: int, live_at: int, release: Release
) -> list[str]:
    rows = connection.execute(
        f"""/* foreign_releases.find_between */ select version from foreign_releases
        where project_id = :project_id and projects = :projects
            and created_at > :begin and created_at <= :end
        order by created_at desc, version limit {_MOST_JOINED}""",
        {
            "project_id": project_id,
            "projects": _encode(release.projects),
            "begin": live_at,
            "end": release.created_at,
        },
    )
    return [row[0] for row in rows]


def _replace_commits(
    connection: Connection, project_id: int, version: str, commits: Sequence[Commit]
) -> None:
    connection.execute(
        """/* foreign_releases.delete_commits */ delete from foreign_release_commits
        where project_id = :project_id and version = :version""",
        {"project_id": project_id, "version": version},
    )
    connection.executemany(
        """/* foreign_releases.insert_commit */ insert into foreign_release_commits
            (project_id, version, sha, position, message, author, committed_at)
        values (:project_id, :version, :sha, :position, :message, :author, :committed_at)""",
        [
            {
                "project_id": project_id,
                "version": version,
                "position": position,
                **msgspec.structs.asdict(commit),
            }
            for position, commit in enumerate(commits)
        ],
    )


def _encode(projects: Sequence[str]) -> str:
    return msgspec.json.encode(projects).decode()


def _to_release(row: Row) -> Release:
    version, created_at, projects, head, url, released_at = row
    return Release(
        version=version,
        created_at=created_at,
        projects=msgspec.json.decode(projects, type=tuple[str, ...]),
        head=head,
        url=url,
        released_at=released_at,
    )
