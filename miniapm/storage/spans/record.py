"""Storing a batch: its body, the ends of its trace ids, a row for each entry."""

from collections.abc import Iterable, Sequence

from miniapm.domain.rollups import EntryRow
from miniapm.domain.spans.ids import BatchIds
from miniapm.domain.spans.values import Entry, ReleaseName, SpanBatch, TelemetryDefaults
from miniapm.storage.connection import Connection
from miniapm.storage.spans.names import NameIds


def insert_batch(
    connection: Connection,
    ids: NameIds,
    batch_ids: BatchIds,
    project_id: int,
    defaults: TelemetryDefaults,
    batch: SpanBatch,
    entries: Sequence[Entry],
) -> list[EntryRow]:
    """Stores `batch` with `entries`, its own made complete; gives their rows, in the order of their
    ids."""
    batch_id = batch_ids.take(len(entries))
    connection.execute(
        """/* span_batches.insert */ insert into span_batches (id, project_id, started_at, ended_at,
            span_count, format, digest, defaults, body)
        values (:id, :project_id, :started_at, :ended_at, :span_count, :format, :digest, :defaults,
            :body)""",
        {
            "id": batch_id,
            "project_id": project_id,
            "started_at": batch.started_at,
            "ended_at": batch.ended_at,
            "span_count": batch.span_count,
            "format": batch.format,
            "digest": batch.digest,
            "defaults": f"{defaults.service}\n{defaults.env}",
            "body": batch.body,
        },
    )
    if batch.tails:
        connection.execute(
            """/* span_batch_traces.insert */ insert into span_batch_traces
                (batch_id, project_id, tails)
            values (:batch_id, :project_id, :tails)""",
            {"batch_id": batch_id, "project_id": project_id, "tails": batch.tails},
        )
    rows = list(_to_rows(connection, ids, batch_id, project_id, entries))
    connection.executemany(
        """/* entries.insert */ insert into entries (id, project_id, endpoint_id, release_id,
            started_at, duration_us, failed, status_code, trace_id, database_us, database_count,
            http_us, http_count)
        values (:id, :project_id, :endpoint_id, :release_id, :started_at, :duration_us, :failed,
            :status_code, :trace_id, :database_us, :database_count, :http_us, :http_count)""",
        rows,
    )
    return rows


def _to_rows(
    connection: Connection,
    ids: NameIds,
    batch_id: int,
    project_id: int,
    entries: Sequence[Entry],
) -> Iterable[EntryRow]:
    find_release, find_endpoint = ids.find_release, ids.endpoint
    first: dict[ReleaseName, int] = {}
    for entry in entries:
        if entry.started_at < first.get(entry.release, entry.started_at + 1):
            first[entry.release] = entry.started_at
    for entry_id, entry in enumerate(entries, batch_id):
        at = entry.started_at
        release = find_release(connection, project_id, entry.release, first[entry.release])
        endpoint_id = find_endpoint(connection, project_id, release.service, entry.endpoint, at)
        yield EntryRow(
            entry_id,
            project_id,
            endpoint_id,
            release.id,
            at,
            entry.duration_us,
            int(entry.failed),
            entry.status_code,
            entry.trace_id,
            entry.database_us,
            entry.database_count,
            entry.http_us,
            entry.http_count,
        )
