"""What is known under a name that no deploy has: a refused call, a commit, a version seen."""

import re
from collections.abc import Iterator, Sequence

from miniapm.clock import to_rfc3339
from miniapm.domain.doctor import Finding
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.prefixes import end_of
from miniapm.storage.projects import Project
from miniapm.storage.refusals import KEPT_PER_PROJECT, UNKNOWN_PROJECT, find_refusals

_LEAST_PREFIX = 4


def examine_missing(
    connection: Connection, projects: Sequence[Project], name: str
) -> Iterator[Finding]:
    """Why no deploy of `projects` is called `name`, as far as anything tells."""
    of, shown = "", ""
    if len(projects) == 1:
        of, shown = f" of {projects[0].slug}", f" --project {projects[0].slug}"
    yield Finding(
        "problem",
        name,
        f"No deploy{of} has {name} as its id, sha or version.",
        "Look whether the sender was called at all, with this server's address and a key of its "
        f"project; `miniapm deploys list{shown}` shows what is here.",
    )
    for project_id in (*(project.id for project in projects), UNKNOWN_PROJECT):
        yield from _find_refused(connection, project_id, name)
    for project in projects:
        if len(projects) == 1:
            yield from _find_elsewhere(connection, project, name)
        yield from _find_brought(connection, project, name)
        yield from _find_seen(connection, project, name)


def range_of(name: str) -> dict[str, str]:
    """From `name` to `past` is what begins with it; where it is too short to say much, it alone."""
    return {"name": name, "past": end_of(name) if len(name) >= _LEAST_PREFIX else f"{name}\x01"}


def _find_refused(connection: Connection, project_id: int, name: str) -> Iterator[Finding]:
    end = b"" if len(name) >= _LEAST_PREFIX else rb"(?!\w)"
    named = re.compile(rb"(?<!\w)" + re.escape(name.encode()) + end)
    for one in find_refusals(connection, project_id, KEPT_PER_PROJECT):
        if named.search(one.body):
            told = "; ".join(f"{field} {wrong}" for field, wrong in one.fields.items())
            told = told or one.message.rstrip(".")
            yield Finding(
                "problem",
                name,
                f"A call to {one.route} that names it was refused with {one.status} at "
                f"{to_rfc3339(one.refused_at)}: {told}.",
                "Mend what is wrong with it, and send it again.",
            )
            return


def _find_elsewhere(connection: Connection, project: Project, name: str) -> Iterator[Finding]:
    slug = scalar(
        connection,
        """/* doctor.find_elsewhere */ select p.slug from projects p
        where p.id <> :project_id and exists (
            select 1 from deploys d where d.project_id = p.id and (d.version = :name
                or (d.git_sha >= :name and d.git_sha < :past)))
        order by p.slug limit 1""",
        project_id=project.id,
        **range_of(name),
    )
    if slug is not None:
        yield Finding(
            "note",
            name,
            f"The project {slug} has a deploy of that name.",
            f"`miniapm doctor --project {slug} --deploy {name}`; a key records in its own project.",
        )


def _find_brought(connection: Connection, project: Project, name: str) -> Iterator[Finding]:
    row = connection.execute(
        """/* doctor.find_brought */ select c.deploy_id, c.sha from deploy_commits c
        join deploys d on d.project_id = c.project_id and d.id = c.deploy_id
        where c.project_id = :project_id and c.sha >= :name and c.sha < :past
        order by d.deployed_at limit 1""",
        {"project_id": project.id, **range_of(name)},
    ).fetchone()
    if row is not None:
        yield Finding(
            "note",
            name,
            f"The commit {row[1][:12]} was brought by deploy {row[0]}, whose last commit is "
            "another one.",
            f"`miniapm doctor --deploy {row[0]}` looks at that.",
        )


def _find_seen(connection: Connection, project: Project, name: str) -> Iterator[Finding]:
    row = connection.execute(
        """/* doctor.find_seen */ select service, env, first_seen_at, deploy_id from releases
        where project_id = :project_id and (version = :name
            or (revision >= :name and revision < :past))
        order by first_seen_at limit 1""",
        {"project_id": project.id, **range_of(name)},
    ).fetchone()
    if row is not None:
        service, env, first_seen_at, deploy_id = row
        yield Finding(
            "note",
            name,
            f"Telemetry shows that version of {service} in {env} since {to_rfc3339(first_seen_at)}"
            + (f", as deploy {deploy_id}." if deploy_id else ", and nobody announced it."),
            "" if deploy_id else "Announce it, with the same service, env and version or commit.",
        )
