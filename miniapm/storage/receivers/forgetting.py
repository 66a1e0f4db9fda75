"""What clients of other services keep here ends: by its age, and where a project has too much.

Each call forgets a little, so that no other write waits for it.
"""

from miniapm.clock import DAY
from miniapm.storage.connection import Connection

RELEASES_KEPT_FOR = 400 * DAY
GATES_KEPT_FOR = DAY
MOST_PER_PROJECT = 5000
"""Releases; those that are new take the place of the oldest."""
# a release may have a thousand commits
_MOST_RELEASES, _MOST_GATES = 2, 2000


def delete_releases_before(connection: Connection, instant: int) -> int:
    """Forgets releases of before `instant` with their commits, a few at most; how many. Deploys of
    them stay."""
    rows = connection.execute(
        f"""/* foreign_releases.find_old */ select r.project_id, r.version
        from projects p join foreign_releases r on r.project_id = p.id
        where r.created_at < :instant limit {_MOST_RELEASES}""",
        {"instant": instant},
    ).fetchall()
    for project_id, version in rows:
        forget_release(connection, project_id, version)
    return len(rows)


def forget_beyond(connection: Connection, project_id: int, most: int) -> None:
    """Forgets the oldest releases of a project that has more than `most`, a few at most."""
    rows = connection.execute(
        f"""/* foreign_releases.find_beyond */ select version from foreign_releases
        where project_id = :project_id
        order by created_at desc, version desc limit {_MOST_RELEASES} offset :most""",
        {"project_id": project_id, "most": most},
    ).fetchall()
    for (version,) in rows:
        forget_release(connection, project_id, version)


def forget_release(connection: Connection, project_id: int, version: str) -> None:
    """A release, its commits, and which deploys are of it."""
    for table in ("foreign_release_commits", "foreign_release_deploys", "foreign_releases"):
        connection.execute(
            f"""/* foreign_releases.delete */ delete from {table}
            where project_id = :project_id and version = :version""",
            {"project_id": project_id, "version": version},
        )


def delete_gates_before(connection: Connection, instant: int) -> int:
    """Forgets questions of a gate that were asked before `instant`, a few thousand at most; how
    many."""
    return connection.execute(
        f"""/* foreign_gates.delete_before */ delete from foreign_gates
        where (project_id, id) in (
            select project_id, id from foreign_gates
            where asked_at < :instant limit {_MOST_GATES})""",
        {"instant": instant},
    ).rowcount
