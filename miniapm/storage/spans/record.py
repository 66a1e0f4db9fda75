"""Storing batches: their bodies, the ends of their trace ids, a row for each entry."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from miniapm.domain.rollups import EntryValues
from miniapm.domain.spans.ids import BatchIds
from miniapm.domain.spans.values import Entry, ReleaseName, SpanBatch, TelemetryDefaults
from miniapm.storage.connection import Connection
from miniapm.storage.many_rows import insert_rows
from miniapm.storage.spans.names import NameIds

_INSERT_BATCHES = """/* span_batches.insert */ insert into span_batches
    (id, project_id, started_at, ended_at, span_count, format, digest, defaults, body)"""
_INSERT_TRACES = """/* span_batch_traces.insert */ insert into span_batch_traces
    (batch_id, project_id, tails)"""
_INSERT_ENTRIES = """/* entries.insert */ insert into entries (id, project_id, endpoint_id,
    release_id, started_at, duration_us, failed, status_code, trace_id, database_us,
    database_count, http_us, http_count)"""


class NewBatch(NamedTuple):
    """A batch to store with `entries`, its own made complete."""

    project_id: int
    defaults: TelemetryDefaults
    batch: SpanBatch
    entries: Sequence[Entry]


def insert_batches(
    connection: Connection, ids: NameIds, batch_ids: BatchIds, batches: Sequence[NewBatch]
) -> list[EntryValues]:
    """Stores `batches`; gives the rows of their entries, in the order of their ids."""
    bodies: list[tuple[Any, ...]] = []
    traces: list[tuple[Any, ...]] = []
    entries: list[EntryValues] = []
    for project_id, defaults, batch, completed in batches:
        batch_id = batch_ids.take(len(completed))
        bodies.append(
            (
                batch_id,
                project_id,
                batch.started_at,
                batch.ended_at,
                batch.span_count,
                batch.format,
                batch.digest,
                f"{defaults.service}\n{defaults.env}",
                batch.body,
            )
        )
        if batch.tails:
            traces.append((batch_id, project_id, batch.tails))
        entries += _to_rows(connection, ids, batch_id, project_id, completed)
    insert_rows(connection, _INSERT_BATCHES, bodies)
    insert_rows(connection, _INSERT_TRACES, traces)
    insert_rows(connection, _INSERT_ENTRIES, entries)
    return entries


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
