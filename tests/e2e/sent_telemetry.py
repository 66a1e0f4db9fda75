"""What stands in the file of a server after a real application has sent its telemetry."""

from typing import NamedTuple

from tests.conftest import Server


class Endpoint(NamedTuple):
    """What the entries of an endpoint add up to."""

    requests: int
    failed: int
    database_us: int
    database_count: int
    http_us: int
    http_count: int


def read_endpoints(server: Server) -> dict[str, Endpoint]:
    rows = server.rows(
        """select p.name, count(*) as requests, sum(e.failed) as failed,
            sum(e.database_us) as database_us, sum(e.database_count) as database_count,
            sum(e.http_us) as http_us, sum(e.http_count) as http_count
        from entries e join endpoints p on p.id = e.endpoint_id and p.project_id = e.project_id
        group by p.name"""
    )
    return {row.pop("name"): Endpoint(**row) for row in rows}


def read_releases(server: Server) -> list[tuple[str, str, str]]:
    """Service, environment and version."""
    rows = server.rows("select service, env, version from releases order by service")
    return [(row["service"], row["env"], row["version"]) for row in rows]


def read_errors(server: Server) -> list[tuple[str, str, int]]:
    """Class, message and count of each group."""
    rows = server.rows("select exception_class, message, count from error_groups order by id")
    return [(row["exception_class"], row["message"], row["count"]) for row in rows]
