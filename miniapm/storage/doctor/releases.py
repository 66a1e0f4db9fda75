"""Whether telemetry and announced deploys go by the same names."""

from collections.abc import Iterator

from miniapm.clock import DAY, HOUR
from miniapm.domain.doctor import Finding
from miniapm.storage.connection import Connection
from miniapm.storage.projects import Project

_RECENT = 14 * DAY
# what was announced just now may not have had its first request
_SOON = HOUR
_MOST_NAMED = 3

Lane = tuple[str, str]


def examine_releases(connection: Connection, project: Project, now: int) -> list[Finding]:
    """The findings of a project that has both telemetry and announced deploys of late."""
    seen = _find_lanes(connection, _SEEN_LANES, project, now)
    announced = _find_lanes(connection, _ANNOUNCED_LANES, project, now)
    if not seen or not announced:
        return []
    return [
        *_examine_lanes(seen, announced, project),
        *_examine_versions(connection, sorted(seen & announced), project, now),
    ]


def _examine_lanes(seen: set[Lane], announced: set[Lane], project: Project) -> Iterator[Finding]:
    """Where one of both says another name than the other."""
    for service, env in sorted(seen - announced):
        near = [lane for lane in sorted(announced - seen) if service == lane[0] or env == lane[1]]
        if near:
            told = " and ".join(_tell(lane) for lane in near[:_MOST_NAMED])
            yield Finding(
                "note",
                project.slug,
                f"Telemetry of {project.slug} comes from {_tell((service, env))}, where no deploy "
                f"is announced; deploys are announced for {told}, which sends no telemetry.",
                "If they are one, use one name: `service.name` and `deployment.environment.name` "
                "in the telemetry, `service` and `env` in the deploys.",
            )


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


def _find_lanes(connection: Connection, sql: str, project: Project, now: int) -> set[Lane]:
    rows = connection.execute(sql, {"project_id": project.id, "since": now - _RECENT})
    return {(service, env) for service, env in rows}


def _tell(lane: Lane) -> str:
    service, env = lane
    return f"{service} in {env}"


def _list(rows: list[tuple[str]]) -> str:
    names = [row[0][:40] for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
