"""Entries that stand in a database, with the times at which they arrived."""

from itertools import count
from typing import Any

from miniapm.domain.spans.ids import to_batch_id
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.connection import Connection
from miniapm.storage.spans.entries import FoundEntry, to_entry
from miniapm.storage.spans.names import NameCaps, NameIds
from tests.factories import START


class Entries:
    """Inserts entries; what a test cares about is what it names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids = NameIds(NameCaps(), lambda: START)
        self._numbers = count()

    def release(
        self,
        project_id: int = 1,
        service: str = "shop",
        env: str = "production",
        version: str = "v1",
        revision: str = "",
    ) -> int:
        name = ReleaseName(service, env, version, revision)
        return self._ids.release(self._connection, project_id, name, START)

    def endpoint(self, name: str, project_id: int = 1, service: str = "shop") -> int:
        return self._ids.endpoint(self._connection, project_id, service, name, START)

    def add(self, **fields: Any) -> FoundEntry:
        """An entry that began at START, took 10 ms, and arrived when it had ended; `arrived_at`
        says otherwise."""
        started_at = fields.setdefault("started_at", START)
        took = fields.setdefault("duration_us", 10_000)
        arrived_at = fields.pop("arrived_at", started_at + took)
        row = {
            "id": to_batch_id(arrived_at) + next(self._numbers),
            "project_id": 1,
            "endpoint_id": 1,
            "release_id": 1,
            "failed": 0,
            "status_code": 200,
            "trace_id": None,
            "database_us": 0,
            "database_count": 0,
            "http_us": 0,
            "http_count": 0,
            **fields,
        }
        self._connection.execute(
            f"""insert into entries ({", ".join(row)})
            values ({", ".join(f":{name}" for name in row)})""",
            row,
        )
        del row["project_id"]
        return to_entry([row[name] for name in FoundEntry._fields])
