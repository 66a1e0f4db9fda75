"""Finding groups of errors: lists of them, and what is shown beside each."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from miniapm.clock import HOUR
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.errors.values import Group
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.errors.groups import COLUMNS, get_group
from miniapm.storage.in_lists import bind_list

_WITH_ENV = """ and exists (select 1 from releases x where x.project_id = r.project_id
    and x.id = r.release_id and x.env = :env)"""


class ErrorFilter(NamedTuple):
    """Which groups of a project; None leaves a field open. Times: seen in since <= t < until, in
    µs; with `until` to the hour."""

    env: str | None = None
    service: str | None = None
    state: str | None = None
    query: str | None = None
    since: int | None = None
    until: int | None = None


class FoundRelease(NamedTuple):
    """A release by its names, "" where they are unknown; `deploy_id` is of the deploy that brought
    it, None where none did."""

    env: str = ""
    version: str = ""
    revision: str = ""
    deploy_id: int | None = None


class FoundGroup(NamedTuple):
    """A group with the environments in which it was seen, and the release in which it was first."""

    group: Group
    envs: tuple[str, ...]
    first_release: FoundRelease


class NewGroups(NamedTuple):
    """The first of `total` groups."""

    groups: list[Group]
    total: int


class GroupPage(NamedTuple):
    """`after` is where the next page begins; None on the last one."""

    groups: list[FoundGroup]
    after: Cursor | None


def find_groups(
    connection: Connection,
    project_id: int,
    wanted: ErrorFilter,
    limit: int,
    after: Cursor | None = None,
) -> GroupPage:
    """At most `limit` groups, the last seen first."""
    where = ["project_id = :project_id", *_list_conditions(wanted)]
    if after is not None:
        where.append("(last_seen_at, id) < (:after_at, :after_id)")
    rows = connection.execute(
        f"""/* error_groups.find */ select {COLUMNS} from error_groups
        where {" and ".join(where)}
        order by last_seen_at desc, id desc limit :limit""",
        {
            "project_id": project_id,
            "limit": limit + 1,
            "needle": (wanted.query or "").casefold(),
            "since_hour": None if wanted.since is None else wanted.since - wanted.since % HOUR,
            "after_at": after.deployed_at if after else None,
            "after_id": after.id if after else None,
            **wanted._asdict(),
        },
    ).fetchall()
    groups = [Group(**row) for row in rows[:limit]]
    last = groups[-1] if len(rows) > limit else None
    return GroupPage(
        _complete(connection, project_id, groups),
        None if last is None else Cursor(last.last_seen_at, last.id),
    )


def get_found_group(connection: Connection, project_id: int, group_id: int) -> FoundGroup:
    """One group; NotFound also when it is another project's."""
    return _complete(connection, project_id, [get_group(connection, project_id, group_id)])[0]


def find_last_error(connection: Connection, project_id: int) -> int | None:
    """When an error of the project was last seen; None where none ever was."""
    found: int | None = scalar(
        connection,
        """/* error_groups.last_seen */ select max(last_seen_at) from error_groups
        where project_id = :project_id""",
        project_id=project_id,
    )
    return found


def find_new_groups(
    connection: Connection,
    project_id: int,
    since: int,
    until: int,
    limit: int,
    *,
    env: str | None = None,
    service: str | None = None,
) -> list[Group]:
    """The groups that began, or came back, in since <= t < until and are open; the newest first."""
    where = [
        "project_id = :project_id",
        "state = 'open'",
        "last_seen_at >= :since",
        """(first_seen_at >= :since and first_seen_at < :until
            or regressed_at >= :since and regressed_at < :until)""",
    ]
    if service is not None:
        where.append("service = :service")
    if env is not None:
        where.append(_in_releases(_WITH_ENV))
    rows = connection.execute(
        f"""/* error_groups.find_new */ select {COLUMNS} from error_groups
        where {" and ".join(where)}
        order by coalesce(regressed_at, first_seen_at) desc, id desc limit :limit""",
        {
            "project_id": project_id,
            "since": since,
            "until": until,
            "limit": limit,
            "env": env,
            "service": service,
        },
    )
    return [Group(**row) for row in rows]


def find_groups_of_deploy(
    connection: Connection, deploy: Deploy, until: int, limit: int
) -> NewGroups:
    """The groups of its service that were first seen in its env from the deploy on and before
    `until`, or came back in it and are open; the newest first."""
    seen = "select 1 from error_releases r where r.group_id = g.id and r.project_id = :project_id"
    found = connection.execute(
        f"""/* error_groups.find_of_deploy */ select id from error_groups g
        where project_id = :project_id and service = :service and last_seen_at >= :since
            and (state = 'open' and regressed_deploy_id = :deploy_id
                or first_seen_at < :until
                    and exists ({seen} and r.first_seen_at < :until {_WITH_ENV})
                    and (first_seen_at >= :since
                        or not exists ({seen} and r.first_seen_at < :since {_WITH_ENV})))
        order by first_seen_at desc, id desc""",
        {
            "project_id": deploy.project_id,
            "service": deploy.service,
            "env": deploy.env,
            "deploy_id": deploy.id,
            "since": deploy.deployed_at,
            "until": until,
        },
    ).fetchall()
    first = [get_group(connection, deploy.project_id, row[0]) for row in found[:limit]]
    return NewGroups(first, len(found))


def find_releases_by_id(
    connection: Connection, project_id: int, release_ids: Iterable[int]
) -> dict[int, FoundRelease]:
    """The names of releases."""
    found = {}
    for release_id in set(release_ids):
        row = connection.execute(
            """/* releases.find_names */ select env, version, revision, deploy_id from releases
            where project_id = :project_id and id = :id""",
            {"project_id": project_id, "id": release_id},
        ).fetchone()
        if row is not None:
            found[release_id] = FoundRelease(*row)
    return found


def _list_conditions(wanted: ErrorFilter) -> Sequence[str]:
    where = [f"{n} = :{n}" for n in ("service", "state") if getattr(wanted, n) is not None]
    if wanted.query is not None:
        # as in the list of deploys: `like` takes minutes for a text of one letter
        where.append("replace(search, :needle, '') <> search")
    if wanted.since is not None:
        where.append("last_seen_at >= :since")
    env = _WITH_ENV if wanted.env is not None else ""
    if wanted.until is not None:
        since = " and r.started_at >= :since_hour" if wanted.since is not None else ""
        where.append("first_seen_at < :until")
        where.append(
            f"""exists (select 1 from error_counts r where r.project_id = :project_id
            and r.resolution = 60 and r.group_id = error_groups.id
            and r.started_at < :until{since}{env})"""
        )
    elif env:
        since = " and r.last_seen_at >= :since" if wanted.since is not None else ""
        where.append(_in_releases(since + env))
    return where


def _in_releases(condition: str) -> str:
    return f"""exists (select 1 from error_releases r where r.project_id = :project_id
        and r.group_id = error_groups.id{condition})"""


def _complete(connection: Connection, project_id: int, groups: Sequence[Group]) -> list[FoundGroup]:
    names, bound = bind_list("g", [group.id for group in groups])
    envs: dict[int, list[str]] = {}
    for group_id, env in connection.execute(
        f"""/* error_releases.find_envs */ select distinct r.group_id, x.env from error_releases r
        join releases x on x.project_id = r.project_id and x.id = r.release_id
        where r.project_id = :project_id and r.group_id in ({names}) order by x.env""",
        {"project_id": project_id, **bound},
    ):
        envs.setdefault(group_id, []).append(env)
    first = [group.first_release_id for group in groups]
    releases = find_releases_by_id(connection, project_id, first)
    return [
        FoundGroup(
            group,
            tuple(envs.get(group.id, ())),
            releases.get(group.first_release_id, FoundRelease()),
        )
        for group in groups
    ]
