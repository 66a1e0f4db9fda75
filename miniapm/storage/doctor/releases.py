"""Whether telemetry and announced deploys go by the same names."""

from collections.abc import Iterator

from miniapm.clock import DAY, HOUR
from miniapm.domain.doctor import Finding
from miniapm.domain.names import find_nearest
from miniapm.storage.connection import Connection
from miniapm.storage.projects import Project

_RECENT = 14 * DAY
# what was announced just now may not have had its first request
_SOON = HOUR
_MOST_LANES = 3
_MOST_NAMED = 3

Lane = tuple[str, str]


def examine_releases(connection: Connection, project: Project, now: int) -> list[Finding]:
    """The findings of a project that has both telemetry of late and announced deploys."""
    seen = _find_lanes(connection, _SEEN_LANES, project, now - _RECENT)
    ever_announced = _find_lanes(connection, _ANNOUNCED_LANES, project, 0)
    if not seen or not ever_announced:
        return []
    announced = _find_lanes(connection, _ANNOUNCED_LANES, project, now - _RECENT)
    return [
        *_examine_lanes(seen, announced, ever_announced, project),
        *_examine_versions(connection, sorted(seen & announced), project, now),
    ]


def _examine_lanes(
    seen: set[Lane], announced: set[Lane], ever_announced: set[Lane], project: Project
) -> Iterator[Finding]:
    """What serves where, and is not announced there: mostly under a name that differs."""
    found = [(lane, _find_near(lane, announced - seen)) for lane in sorted(seen - announced)]
    told = [(lane, near) for lane, near in found if near or lane not in ever_announced]
    for lane, near in told[:_MOST_LANES]:
        if near:
            others = " and ".join(_tell(one) for one in near[:_MOST_NAMED])
            yield Finding(
                "note",
                project.slug,
                f"Telemetry of {project.slug} comes from {_tell(lane)}, where no deploy "
                f"is announced; deploys are announced for {others}, from which no telemetry comes.",
                "If they are one, use one name: `service.name` and `deployment.environment.name` "
                "in the telemetry, `service` and `env` in the deploys.",
            )
        else:
            yield Finding(
                "note",
                project.slug,
                f"{_tell(lane)} of {project.slug} sends telemetry, but no deploy of it was ever "
                "announced.",
                "Announce its deploys under the names that its telemetry has.",
            )


def _find_near(lane: Lane, others: set[Lane]) -> list[Lane]:
    """Those of `others` that may be meant: of the same service or env, else spelled alike."""
    near = [other for other in sorted(others) if lane[0] == other[0] or lane[1] == other[1]]
    if near:
        return near
    names = {_tell(other): other for other in sorted(others)}
    nearest = find_nearest(_tell(lane), names, cutoff=0.6)
    return [names[nearest]] if nearest else []


def _examine_versions(
    connection: Connection, lanes: list[Lane], project: Project, now: int
) -> Iterator[Finding]:
    for lane in lanes:
        values = {"project_id": project.id, "service": lane[0], "env": lane[1]}
        unannounced = connection.execute(
            """/* doctor.find_unannounced */ select coalesce(version, git_sha) from deploys
            where project_id = :project_id and service = :service and env = :env
                and sources = 'telemetry' and deployed_at >= :since and hidden_at is null
            order by deployed_at desc""",
            {**values, "since": now - _RECENT},
        ).fetchall()
        unseen = connection.execute(
            """/* doctor.find_unseen */ select coalesce(version, git_sha) from deploys
            where project_id = :project_id and service = :service and env = :env
                and sources <> 'telemetry' and status = 'succeeded' and hidden_at is null
                and is_left_out = 0
                and deployed_at >= :since and deployed_at < :soon
                and deployed_at >= (
                    select min(first_seen_at) from releases
                    where project_id = :project_id and service = :service and env = :env)
                and id not in (
                    select deploy_id from releases
                    where project_id = :project_id and deploy_id is not null)
            order by deployed_at desc""",
            {**values, "since": now - _RECENT, "soon": now - _SOON},
        ).fetchall()
        # only both together: a version may be announced again, and nobody has to use a new one
        if unannounced and unseen:
            yield Finding(
                "note",
                project.slug,
                f"Of {_tell(lane)}, telemetry names {_list(unannounced)}, which nobody announced, "
                f"and deploys were announced of {_list(unseen)}, which telemetry does not name.",
                "Each deploy may be counted twice. Send the commit in both (`git_sha`, and "
                "`vcs.ref.head.revision` in the telemetry), or the same `version` and "
                "`service.version`.",
            )


_SEEN_LANES = """/* doctor.seen_lanes */ select distinct service, env from releases
where project_id = :project_id and last_seen_at >= :since"""

_ANNOUNCED_LANES = """/* doctor.announced_lanes */ select distinct service, env from deploys
where project_id = :project_id and deployed_at >= :since and sources <> 'telemetry'
    and hidden_at is null"""


def _find_lanes(connection: Connection, sql: str, project: Project, since: int) -> set[Lane]:
    rows = connection.execute(sql, {"project_id": project.id, "since": since})
    return {(service, env) for service, env in rows}


def _tell(lane: Lane) -> str:
    service, env = lane
    return f"{service} in {env}"


def _list(rows: list[tuple[str]]) -> str:
    names = [row[0][:40] for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
