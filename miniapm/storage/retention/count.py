"""What a sweep would delete, without deleting it."""

from miniapm.domain.retention import CutOffs
from miniapm.storage.connection import Connection
from miniapm.storage.retention.spans import find_end


def count_old(connection: Connection, cut_offs: CutOffs) -> dict[str, int]:
    """By the names that a sweep uses. Names of endpoints and releases are not counted: whether
    they are in use is seen once the rest is gone."""
    values = {"end": find_end(connection, cut_offs.batch_id), "at": cut_offs.occurrences}
    counted = {name: _count(connection, sql, values) for name, sql in _COUNTS.items()}
    for table in ("rollups", "error_counts"):
        counted[table] = sum(
            _count(
                connection,
                f"""/* retention.count_figures */ select count(*) from {table}
                where resolution = :resolution and started_at < :before""",
                {"resolution": resolution, "before": before},
            )
            for resolution, before in cut_offs.figures.items()
        )
    return counted


_COUNTS = {
    "spans": """/* retention.count_spans */ select coalesce(sum(span_count), 0) from span_batches
        where id < :end""",
    "requests": "/* retention.count_entries */ select count(*) from entries where id < :end",
    "occurrences": """/* retention.count_occurrences */ select count(*) from error_occurrences
        where happened_at < :at""",
}


def _count(connection: Connection, sql: str, values: dict[str, int]) -> int:
    return int(connection.execute(sql, values).fetchone()[0])
