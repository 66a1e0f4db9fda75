"""The rows of rollups: reading those of one tile of time."""

from typing import Any

from miniapm.domain.ranges import Tile
from miniapm.storage.connection import Connection


def find_rows(connection: Connection, project_id: int, endpoint_id: int | None, part: Tile) -> Any:
    """Rows of (endpoint, release, started_at, count, failed, duration_us, database_us, http_us,
    slow_us, slow_id, failed_id, histogram); all endpoints but ALL_ENDPOINTS where none is named."""
    return connection.execute(
        f"""/* rollups.find */ select endpoint_id, release_id, started_at, count, failed,
            duration_us, database_us, http_us, slow_us, slow_id, failed_id, histogram
        from rollups
        where project_id = :project_id and resolution = :resolution
            and endpoint_id {which_endpoint(endpoint_id)}
            and started_at >= :since and started_at < :until""",
        bind_tile(project_id, part, endpoint_id),
    )


def which_endpoint(endpoint_id: int | None) -> str:
    """The condition behind the column: one endpoint, or all of the project."""
    # one, or a list of all: the index begins with it, time comes after
    if endpoint_id is None:
        return "in (select id from endpoints where project_id = :project_id)"
    return "= :endpoint_id"


def bind_tile(project_id: int, part: Tile, endpoint_id: int | None = None) -> dict[str, Any]:
    """What a statement over a tile is given."""
    return {
        "project_id": project_id,
        "resolution": part.resolution,
        "since": part.begin,
        "until": part.end,
        "endpoint_id": endpoint_id,
    }
