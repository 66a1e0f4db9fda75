"""What telemetry tells about why something is missing, and what to do about it."""

from collections.abc import Iterator
from statistics import median

from miniapm.clock import DAY, MINUTE, SECOND, to_rfc3339
from miniapm.domain.counts import tell_count
from miniapm.domain.doctor import Finding, tell_span
from miniapm.domain.keys import TRACES_WRITE
from miniapm.domain.spans.ids import to_arrival
from miniapm.domain.spans.values import OTHER
from miniapm.storage.connection import Connection
from miniapm.storage.keys import find_keys
from miniapm.storage.projects import Project
from miniapm.storage.releases import Release, find_releases
from miniapm.storage.spans.names import NameCaps

_SILENT = DAY
_AHEAD = 30 * SECOND
_BEHIND = 30 * MINUTE
_NEWEST_ENTRIES = 5_000


def examine_telemetry(
    connection: Connection, project: Project, caps: NameCaps, now: int
) -> list[Finding]:
    """The findings of one project."""
    releases = find_releases(connection, project.id)
    return [
        *_examine_arrival(connection, project, releases, now),
        *_examine_caps(connection, project, caps),
        *_examine_clocks(connection, project, releases),
    ]


def _examine_arrival(
    connection: Connection, project: Project, releases: list[Release], now: int
) -> Iterator[Finding]:
    if releases:
        last = max(releases, key=lambda release: release.last_seen_at)
        services = tell_count(len({release.service for release in releases}), "service")
        yield Finding(
            "note" if last.last_seen_at < now - _SILENT else "ok",
            project.slug,
            f"Telemetry of {project.slug} was last seen at {to_rfc3339(last.last_seen_at)}, of the "
            f"service {last.service} in {last.env} ({services} in all).",
            "Nothing came for a day: look whether the application still exports to this server."
            if last.last_seen_at < now - _SILENT
            else "",
        )
        return
    senders = [
        key
        for key in find_keys(connection, project.id)
        if TRACES_WRITE in key.scopes and not key.has_ended(now)
    ]
    if senders:
        yield Finding(
            "note",
            project.slug,
            f"No telemetry of {project.slug} has come in yet, though "
            f"{'a key' if len(senders) == 1 else f'{len(senders)} keys'} may send it.",
            "The overview of the project shows what to set where the application runs.",
        )


def _examine_caps(connection: Connection, project: Project, caps: NameCaps) -> Iterator[Finding]:
    for table, most, setting, advice in (
        (
            "endpoints",
            caps.endpoints,
            "limits.endpoints_per_service",
            "Most often ids stand in their names: let the application send http.route.",
        ),
        ("releases", caps.releases, "limits.releases_per_service", "Old ones make room in time."),
    ):
        column = "name" if table == "endpoints" else "version"
        lane = "service" if table == "endpoints" else "service, env"
        rows = connection.execute(
            f"""/* doctor.find_caps */ select service, count(*) as names from {table}
            where project_id = :project_id group by {lane}
            having count(*) >= :most and max(case when {column} = :other then 1 else 0 end) = 1""",
            {"project_id": project.id, "most": most, "other": OTHER},
        )
        for service, names in rows:
            yield Finding(
                "problem",
                project.slug,
                f"The service {service} of {project.slug} has {names:,} {table}, which is the "
                "most: what is new is counted under `other`.",
                f"{advice} The setting {setting} allows more.",
            )
    for word, names in zip(
        ("services", "environments"), _find_names(connection, project), strict=True
    ):
        if OTHER not in names or len(names) <= caps.services:
            continue
        yield Finding(
            "problem",
            project.slug,
            f"The telemetry of {project.slug} names {caps.services:,} {word}, which is the most: "
            "what is new is counted under `other`.",
            "Names of hosts or of requests do not belong into service.name. The setting "
            "limits.services allows more.",
        )


def _examine_clocks(
    connection: Connection, project: Project, releases: list[Release]
) -> Iterator[Finding]:
    """By the requests that came in last: an exporter sends what just ended."""
    rows = connection.execute(
        f"""/* doctor.find_skew */ select release_id, id, started_at + duration_us as ended_at
        from (select project_id, release_id, id, started_at, duration_us from entries
            order by id desc limit {_NEWEST_ENTRIES}) newest
        where project_id = :project_id""",
        {"project_id": project.id},
    )
    ahead: dict[int, list[int]] = {}
    for release_id, entry_id, ended_at in rows:
        ahead.setdefault(release_id, []).append(ended_at - to_arrival(entry_id))
    names = {release.id: release for release in releases}
    for release_id, skews in list(ahead.items()):
        skew, release = int(median(skews)), names.get(release_id)
        if release is None or -_BEHIND <= skew <= _AHEAD:
            continue
        sender = f"{release.service} in {release.env}, of {project.slug},"
        if skew > 0:
            yield Finding(
                "note",
                project.slug,
                f"Requests of {sender} end {tell_span(skew)} after they arrive.",
                "The clock of that machine is ahead: let it follow a time server.",
            )
        else:
            yield Finding(
                "note",
                project.slug,
                f"Requests of {sender} arrive {tell_span(-skew)} after they ended.",
                "Its exporter is late or was away, or the clock of that machine is behind.",
            )


def _find_names(connection: Connection, project: Project) -> tuple[set[str], set[str]]:
    """Services and environments."""
    rows = connection.execute(
        """/* doctor.find_lanes */ select distinct service, env from releases
        where project_id = :project_id""",
        {"project_id": project.id},
    ).fetchall()
    return {row["service"] for row in rows}, {row["env"] for row in rows}
