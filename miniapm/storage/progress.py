"""How far jobs that go through telemetry have come: each has a mark, moved with what it stores."""

from miniapm.storage.connection import Connection, scalar

ROLLUPS, PACKING = "rollups", "packing"
"""The marks."""


def find_progress(connection: Connection, name: str = ROLLUPS) -> int:
    """The last entry, or batch of entries, that a job was done with; 0 when there is none yet. Of
    the rollups, the last entry that they hold."""
    found = scalar(
        connection,
        "/* progress.find */ select entry_id from rollup_progress where name = :name",
        name=name,
    )
    return int(found or 0)


def set_progress(connection: Connection, entry_id: int, name: str = ROLLUPS) -> None:
    connection.execute(
        """/* progress.set */ insert into rollup_progress (name, entry_id)
        values (:name, :entry_id) on conflict (name) do update set entry_id = excluded.entry_id""",
        {"name": name, "entry_id": entry_id},
    )
