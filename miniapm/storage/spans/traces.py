"""The bodies in which a trace lies, found by scanning the prefixes of every batch; and erasing one.

A random index by trace would slow all writing as it grows; 20,000 batches are looked through in
some milliseconds, and in less where a hint tells when they arrived.
"""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.otlp.stored import StoredBody, take_out
from miniapm.domain.spans.batches import PREFIX_BYTES, has_prefix
from miniapm.domain.spans.ids import POSITIONS, to_arrival, to_batch_id
from miniapm.storage.connection import Connection
from miniapm.storage.spans.dictionaries import Bodies
from miniapm.storage.spans.entries import COLUMNS, FoundEntry, to_entry

NEAR = 10 * MINUTE
"""How long before and after a hint batches of its trace are looked for first."""
MOST_BODIES = 200
MOST_BYTES = 32 * 1024 * 1024
_FIRST, _LAST = 0, 2**63 - 1


class FoundBodies(NamedTuple):
    """`ids` are the batches that match, `bodies` those of the first of them. `is_all`: all that is
    stored was looked through, and all that matched are here."""

    ids: list[int]
    bodies: list[StoredBody]
    is_all: bool


class DeletedTrace(NamedTuple):
    """What was taken out of the stored data; `batches` were rewritten or removed."""

    batches: int
    spans: int
    entries: int


def find_bodies(
    connection: Connection, project_id: int, prefix: bytes, near_id: int | None = None
) -> FoundBodies:
    """The bodies that may hold spans of traces with this `prefix` (4 bytes or the whole id).

    With `near_id`, an entry or batch of the trace, those that arrived within minutes of it, and all
    only where there is none.
    """
    if near_id is not None:
        at = to_arrival(near_id)
        low, high = to_batch_id(at - NEAR), to_batch_id(at + NEAR)
        ids = find_batches(connection, project_id, prefix, low, high)
        if ids:
            return FoundBodies(ids, _read_bodies(connection, project_id, ids), is_all=False)
    ids = find_batches(connection, project_id, prefix)
    bodies = _read_bodies(connection, project_id, ids)
    return FoundBodies(ids, bodies, is_all=len(bodies) == len(ids))


def find_batches(
    connection: Connection,
    project_id: int,
    prefix: bytes,
    low: int = _FIRST,
    high: int = _LAST,
) -> list[int]:
    """The ids in low <= id <= high of the batches that may hold such traces, oldest first."""
    wanted = prefix[:PREFIX_BYTES]
    # instr() is the one name here that PostgreSQL spells otherwise (position): a scan that hands
    # each row to Python takes three times as long, and each row waits for its turn while others
    # are busy
    rows = connection.execute(
        """/* span_batch_traces.scan */ select batch_id, prefixes from span_batch_traces
        where batch_id between :low and :high and project_id = :project_id
            and instr(prefixes, :wanted) > 0
        order by batch_id""",
        {"low": low, "high": high, "project_id": project_id, "wanted": wanted},
    )
    return [batch_id for batch_id, prefixes in rows if has_prefix(prefixes, wanted)]


def _read_bodies(connection: Connection, project_id: int, ids: list[int]) -> list[StoredBody]:
    bodies: list[StoredBody] = []
    size = 0
    for batch_id in ids[:MOST_BODIES]:
        stored = _read_body(connection, project_id, batch_id)
        if stored is not None:
            size += len(stored.body)
            if bodies and size > MOST_BYTES:
                break
            bodies.append(stored)
    return bodies


def _read_body(connection: Connection, project_id: int, batch_id: int) -> StoredBody | None:
    row = connection.execute(
        """/* span_batches.get */ select format, defaults, body from span_batches
        where id = :id and project_id = :project_id""",
        {"id": batch_id, "project_id": project_id},
    ).fetchone()
    if row is None:
        return None
    return Bodies(connection, project_id).stored(row)


def find_trace_entries(
    connection: Connection, project_id: int, trace_id: bytes, batch_ids: Sequence[int]
) -> list[FoundEntry]:
    """The entries of a trace (16 bytes) that came with these batches, the first to begin first."""
    entries: list[FoundEntry] = []
    for batch_id in batch_ids[:MOST_BODIES]:
        rows = connection.execute(
            f"""/* entries.of_batch */ select {COLUMNS} from entries
            where id >= :low and id < :high and project_id = :project_id
                and trace_id = :trace_id""",
            {
                "low": batch_id,
                "high": batch_id + POSITIONS,
                "project_id": project_id,
                "trace_id": trace_id,
            },
        )
        entries += [to_entry(row) for row in rows]
    return sorted(entries, key=lambda entry: entry.started_at)


def delete_trace(connection: Connection, project_id: int, trace_id: bytes) -> DeletedTrace:
    """Erases a trace (16 bytes): its spans out of the stored bodies, and its entries.

    Rollups keep what they counted, which names nobody; errors are not looked at.
    """
    batches = spans = entries = 0
    for batch_id in find_batches(connection, project_id, trace_id):
        stored = _read_body(connection, project_id, batch_id)
        rewritten = take_out(stored, trace_id) if stored is not None else None
        if rewritten is None:
            continue
        size = _count_spans(connection, project_id, batch_id)
        # the entries of a batch have the ids that follow on its own
        entries += connection.execute(
            """/* entries.delete_trace */ delete from entries
            where id between :low and :high and project_id = :project_id
                and trace_id = :trace_id""",
            {
                "low": batch_id,
                "high": batch_id + size,
                "project_id": project_id,
                "trace_id": trace_id,
            },
        ).rowcount
        _store(connection, project_id, batch_id, rewritten.body, rewritten.prefixes,
               rewritten.span_count)  # fmt: skip
        batches += 1
        spans += size - rewritten.span_count
    return DeletedTrace(batches, spans, entries)


def _count_spans(connection: Connection, project_id: int, batch_id: int) -> int:
    row = connection.execute(
        """/* span_batches.count_spans */ select span_count from span_batches
        where id = :id and project_id = :project_id""",
        {"id": batch_id, "project_id": project_id},
    ).fetchone()
    return int(row[0])


def _store(
    connection: Connection,
    project_id: int,
    batch_id: int,
    body: bytes | None,
    prefixes: bytes,
    span_count: int,
) -> None:
    """The digest stays: a retry of the whole body is still known, and does not bring it back."""
    values = {
        "id": batch_id,
        "project_id": project_id,
        "body": body,
        "prefixes": prefixes,
        "span_count": span_count,
    }
    if body is None:
        statements = [
            "/* span_batches.delete */ delete from span_batches"
            " where id = :id and project_id = :project_id",
            "/* span_batch_traces.delete */ delete from span_batch_traces"
            " where batch_id = :id and project_id = :project_id",
        ]
    else:
        statements = [
            "/* span_batches.rewrite */ update span_batches set body = :body,"
            " span_count = :span_count where id = :id and project_id = :project_id",
            "/* span_batch_traces.rewrite */ update span_batch_traces set prefixes = :prefixes"
            " where batch_id = :id and project_id = :project_id",
        ]
    for statement in statements:
        connection.execute(statement, values)
