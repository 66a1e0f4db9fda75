"""What the deploys and keys of a project tell: none yet, never ended, ahead in time, expiring."""

from collections.abc import Iterator

from miniapm.clock import DAY, MINUTE, to_rfc3339
from miniapm.domain.counts import tell_count
from miniapm.domain.deploys.reading import CLOCK_SKEW
from miniapm.domain.doctor import Finding
from miniapm.domain.durations import format_duration
from miniapm.domain.keys import DEPLOYS_WRITE, Key
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.keys import find_keys
from miniapm.storage.projects import Project, count_deploys

_SOON = 14 * DAY
_OLD = 14 * DAY


def examine_project(
    connection: Connection, project: Project, now: int, timeout: int
) -> list[Finding]:
    """The findings of one project; `timeout` in µs is `deploys.timeout`."""
    return [
        *_examine_deploys(connection, project),
        *_examine_started(connection, project, now, timeout),
        *_examine_clocks(connection, project, now),
        *_examine_keys(find_keys(connection, project.id), project, now),
    ]


def _examine_deploys(connection: Connection, project: Project) -> Iterator[Finding]:
    count = count_deploys(connection, project.id)
    if count == 0:
        yield Finding(
            "note",
            project.slug,
            f"The project {project.slug} has no deploys yet.",
            f"`miniapm keys create NAME --project {project.slug}` makes a key and shows a curl "
            "that records one; `miniapm deploys import` brings in those of the past.",
        )
        return
    hidden = _count(connection, project, "hidden_at is not null")
    without = f", {hidden:,} of them hidden" if hidden else ""
    yield Finding(
        "ok",
        project.slug,
        f"The project {project.slug} has {tell_count(count, 'deploy')}{without}.",
        "`miniapm deploys list --hidden` shows the hidden ones." if hidden else "",
    )


def _examine_started(
    connection: Connection, project: Project, now: int, timeout: int
) -> Iterator[Finding]:
    running = _count(connection, project, "status = 'started' and hidden_at is null")
    if not running:
        return
    # the job looks twice a minute
    overdue = _count(
        connection,
        project,
        "status = 'started' and hidden_at is null and deployed_at <= :at and updated_at <= :at",
        now - timeout - 5 * MINUTE,
    )
    if overdue:
        yield Finding(
            "problem",
            project.slug,
            f"{tell_count(overdue, 'deploy')} of {project.slug} began more than "
            f"{format_duration(timeout)} ago and still {'counts' if overdue == 1 else 'count'} as "
            "running.",
            "A running server ends what is overdue: start it, or see its log for the job `time out "
            "deploys`.",
        )
    in_time = running - overdue
    if in_time > 0:
        yield Finding(
            "ok",
            project.slug,
            f"{tell_count(in_time, 'deploy')} of {project.slug} began and "
            f"{'has' if in_time == 1 else 'have'} not ended yet.",
            "A hook that sends `started` must send the end, too.",
        )


def _examine_clocks(connection: Connection, project: Project, now: int) -> Iterator[Finding]:
    row = connection.execute(
        """/* doctor.find_ahead */ select count(*), max(deployed_at - recorded_at) from deploys
        where project_id = :project_id and deployed_at > recorded_at + :skew
            and updated_at >= :since and status <> 'timed_out'""",
        {"project_id": project.id, "skew": CLOCK_SKEW, "since": now - _OLD},
    ).fetchone()
    if row[0]:
        yield Finding(
            "note",
            project.slug,
            f"{tell_count(row[0], 'deploy')} of {project.slug} "
            f"{'carries' if row[0] == 1 else 'carry'} a time after "
            f"{'it' if row[0] == 1 else 'they'} arrived, by up to "
            f"{format_duration(max(row[1] // MINUTE, 1) * MINUTE)}.",
            "The sender's clock is ahead, or its timestamp lacks the offset: without one it is "
            "taken as UTC.",
        )


def _examine_keys(keys: list[Key], project: Project, now: int) -> Iterator[Finding]:
    valid = [key for key in keys if not key.has_ended(now)]
    if not any(DEPLOYS_WRITE in key.scopes for key in valid):
        yield Finding(
            "note",
            project.slug,
            f"No key may record deploys in {project.slug}.",
            f"`miniapm keys create NAME --project {project.slug}` makes one.",
        )
    for key in keys:
        name = f"The key {key.name} ({key.id}) of {project.slug}"
        rotate = f"`miniapm keys rotate {key.id}` makes its successor."
        if key.has_ended(now):
            if key.revoked_at is None and key.expires_at is not None:
                yield Finding(
                    "note",
                    project.slug,
                    f"{name} expired on {to_rfc3339(key.expires_at)}.",
                    "Make a new one where it is still in use; revoke it to hear no more of it.",
                )
        elif key.expires_at is not None and key.expires_at <= now + _SOON:
            yield Finding(
                "problem", project.slug, f"{name} expires on {to_rfc3339(key.expires_at)}.", rotate
            )
        elif key.last_used_at is None and key.created_at <= now - DAY:
            yield Finding(
                "note",
                project.slug,
                f"{name} was never used.",
                f"Put it where deploys are sent from, or `miniapm keys revoke {key.id}`.",
            )


def _count(connection: Connection, project: Project, condition: str, at: int = 0) -> int:
    return int(
        scalar(
            connection,
            f"""/* doctor.count */ select count(*) from deploys
            where project_id = :project_id and {condition} and :at = :at""",
            project_id=project.id,
            at=at,
        )
    )
