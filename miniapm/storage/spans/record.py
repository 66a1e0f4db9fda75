"""Storing a batch: its body, the ends of its trace ids, a row for each entry."""

from collections.abc import Iterator, Sequence

from miniapm.domain.rollups import EntryValues
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
) -> list[EntryValues]:
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
) -> Iterator[EntryValues]:
    first: dict[ReleaseName, int] = {}
    for entry in entries:
        if entry.started_at < first.get(entry.release, entry.started_at + 1):
            first[entry.release] = entry.started_at
    release = None
    # those of a release come one after the other, and so few names that a dictionary has them all
    endpoint_ids: dict[str, int] = {}
    for entry_id, entry in enumerate(entries, batch_id):
        name, endpoint, at, duration_us, failed, status_code, trace_id, *_ = entry
        if name is not release:
            release = name
            endpoint_ids = {}
            release_id, service = ids.find_release(connection, project_id, name, first[name])
        endpoint_id = endpoint_ids.get(endpoint)
        if endpoint_id is None:
            endpoint_id = ids.endpoint(connection, project_id, service, endpoint, at)
            endpoint_ids[endpoint] = endpoint_id
        yield (
            entry_id,
            project_id,
            endpoint_id,
            release_id,
            at,
            duration_us,
            int(failed),
            status_code,
            trace_id,
            *entry[7:],
        )
