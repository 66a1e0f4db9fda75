"""Calls that stand in the database, as entries and in rollups, before a page is asked for."""

from collections.abc import Iterable
from typing import Any

from miniapm.domain.rollups import OpenRollups
from miniapm.domain.spans.ids import BatchIds
from miniapm.domain.spans.values import Entry, ReleaseName, SpanBatch, TelemetryDefaults
from miniapm.storage.connection import Connection
from miniapm.storage.projects import get_project
from miniapm.storage.rollups.flush import flush_rollups
from miniapm.storage.spans.names import NameCaps, NameIds
from miniapm.storage.spans.record import NewBatch, insert_batches
from miniapm.storage.spans.replay import find_last_batch
from tests.conftest import Server
from tests.factories import START


def make_entry(**fields: Any) -> Entry:
    """A call of `GET /` in production that took 10 ms at START; `version`, `service` and `env` are
    its release's."""
    release = ReleaseName(
        fields.pop("service", "shop"),
        fields.pop("env", "production"),
        fields.pop("version", "v1"),
        fields.pop("revision", ""),
    )
    defaults: dict[str, Any] = {
        "endpoint": "GET /",
        "started_at": START,
        "duration_us": 10_000,
        "failed": False,
        "status_code": None,
        "trace_id": None,
    }
    return Entry(**{"release": release, **defaults, **fields})


def add_entries(server: Server, entries: Iterable[Entry], *, project: str = "default") -> None:
    """Stores `entries` as one batch, flushed."""
    context = server.running.context
    found = server.run(context.database.read(get_project, project))
    server.run(context.database.write(insert_entries, found.id, list(entries)))


def insert_entries(connection: Connection, project_id: int, entries: list[Entry]) -> None:
    """As `add_entries`, within a transaction."""
    batch = SpanBatch(
        format="requests",
        body=b"",
        digest=b"",
        tails=b"",
        span_count=len(entries),
        started_at=min(entry.started_at for entry in entries),
        ended_at=max(entry.started_at + entry.duration_us for entry in entries),
        entries=entries,
        occurrences=[],
    )
    rows = insert_batches(
        connection,
        NameIds(NameCaps(), lambda: START),
        BatchIds(lambda: START, find_last_batch(connection)),
        [NewBatch(project_id, TelemetryDefaults("shop", "production"), batch, entries)],
    )
    rollups = OpenRollups()
    rollups.add(rows)
    flush_rollups(connection, rollups)
