"""A number for each service that counts up with every change to its deploys, their commits or
verdicts, so that what is remembered of them is known to be old.

Whoever writes to the tables counts up in the same transaction. No instant would do: changes of one
instant, and those that come after younger ones, would not be noticed.
"""

from collections.abc import Iterable

from miniapm.storage.connection import Connection, scalar


def count_up(connection: Connection, services: Iterable[tuple[int, str]]) -> None:
    """Notes that something of these services (of a project, by name) has changed."""
    connection.executemany(
        """/* deploy_versions.count_up */ insert into deploy_versions (project_id, service, version)
        values (:project_id, :service, 1)
        on conflict (project_id, service) do update set version = deploy_versions.version + 1""",
        [{"project_id": project_id, "service": service} for project_id, service in services],
    )


def find_version(connection: Connection, project_id: int, service: str) -> int:
    """0 where nothing was ever deployed."""
    found = scalar(
        connection,
        """/* deploy_versions.find */ select version from deploy_versions
        where project_id = :project_id and service = :service""",
        project_id=project_id,
        service=service,
    )
    return found or 0


def find_project_version(connection: Connection, project_id: int) -> int:
    """Counts up with every service of the project."""
    return int(
        scalar(
            connection,
            """/* deploy_versions.sum */ select coalesce(sum(version), 0) from deploy_versions
            where project_id = :project_id""",
            project_id=project_id,
        )
    )
