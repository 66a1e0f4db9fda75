"""The batches in which a trace may lie, found by scanning the tails of every batch; and erasing it.

A random index by trace would slow all writing as it grows; 20,000 batches are looked through in
some milliseconds, and in less where a hint tells when they arrived.
"""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.otlp.stored import DamagedBody, Rewritten, StoredBody, take_out
from miniapm.domain.spans.batches import TAIL_BYTES, has_tail
from miniapm.domain.spans.ids import POSITIONS, to_arrival, to_batch_id
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.spans.dictionaries import Bodies
from miniapm.storage.spans.entries import COLUMNS, FoundEntry, to_entry

NEAR = 10 * MINUTE
"""How long before and after a hint batches of its trace are looked for first."""
_FIRST, _LAST = 0, 2**63 - 1


class BodyPage(NamedTuple):
    """The bodies of the first `batches` of those that were asked for, by the ids of their batches;
    some may be gone. `opened_bytes` is what they open to."""

    batches: int
    bodies: list[tuple[int, StoredBody]]
    opened_bytes: int


class DeletedTrace(NamedTuple):
    """What was taken out of the stored data; `batches` were rewritten or removed."""

    batches: int
    spans: int
    entries: int


def find_batches_near(
    connection: Connection, project_id: int, ending: bytes, entry_id: int
) -> list[int]:
    """As `find_batches`, those that arrived within minutes of an entry: the batch of that very
    entry is the first, whatever is in it, then the nearest."""
    at = to_arrival(entry_id)
    low, high = to_batch_id(at - NEAR), to_batch_id(at + NEAR)
    near = find_batches(connection, project_id, ending, low, high)
    own = scalar(
        connection,
        """/* span_batches.of_entry */ select id from (
            select id, project_id from span_batches where id <= :id order by id desc limit 1
        ) as last where project_id = :project_id""",
        id=entry_id,
        project_id=project_id,
    )
    found = sorted({*near, own} - {None}, key=lambda batch_id: abs(batch_id - entry_id))
    return sorted(found, key=lambda batch_id: batch_id != own)


def find_batches(
    connection: Connection,
    project_id: int,
    ending: bytes,
    low: int = _FIRST,
    high: int = _LAST,
) -> list[int]:
    """The ids in low <= id <= high of the batches that may hold traces with this `ending` (4 bytes
    of the id at least), the last to arrive first."""
    tail = ending[-TAIL_BYTES:]
    # instr() is the one name here that PostgreSQL spells otherwise (position): a scan that hands
    # each row to Python takes three times as long, and each row waits for its turn while others
    # are busy
    rows = connection.execute(
        """/* span_batch_traces.scan */ select batch_id, tails from span_batch_traces
        where batch_id between :low and :high and project_id = :project_id
            and instr(tails, :tail) > 0
        order by batch_id desc""",
        {"low": low, "high": high, "project_id": project_id, "tail": tail},
    )
    return [batch_id for batch_id, tails in rows if has_tail(tails, tail)]


def read_bodies(
    connection: Connection, project_id: int, ids: Sequence[int], most_bytes: int
) -> BodyPage:
    """The bodies of the first of these batches, until they open to `most_bytes`; one at least."""
    bodies: list[tuple[int, StoredBody]] = []
    size = count = 0
    opener = Bodies(connection, project_id)
    for batch_id in ids:
        stored = _read_body(connection, project_id, batch_id, opener)
        count += 1
        if stored is not None:
            bodies.append((batch_id, stored))
            size += stored.size
            if size >= most_bytes:
                break
    return BodyPage(count, bodies, size)


def _read_body(
    connection: Connection, project_id: int, batch_id: int, bodies: Bodies
) -> StoredBody | None:
    row = connection.execute(
        """/* span_batches.get */ select format, defaults, body from span_batches
        where id = :id and project_id = :project_id""",
        {"id": batch_id, "project_id": project_id},
    ).fetchone()
    if row is None:
        return None
    return bodies.stored(row)


def find_trace_entries(
    connection: Connection, project_id: int, trace_id: bytes, batch_ids: Sequence[int]
) -> list[FoundEntry]:
    """The entries of a trace (16 bytes) that came with these batches, the first to begin first."""
    entries: list[FoundEntry] = []
    for batch_id in batch_ids:
        rows = connection.execute(
            # the plus keeps the project from choosing an index: these few are found by their ids
            f"""/* entries.of_batch */ select {COLUMNS} from entries
            where id >= :low and id < :high and +project_id = :project_id
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
    bodies = Bodies(connection, project_id)
    for batch_id in find_batches(connection, project_id, trace_id):
        stored = _read_body(connection, project_id, batch_id, bodies)
        rewritten = _take_out(stored, trace_id) if stored is not None else None
        if rewritten is None:
            continue
        size = _count_spans(connection, project_id, batch_id)
        # the entries of a batch have the ids that follow on its own
        entries += connection.execute(
            """/* entries.delete_trace */ delete from entries
            where id >= :low and id < :high and +project_id = :project_id
                and trace_id = :trace_id""",
            {
                "low": batch_id,
                "high": batch_id + POSITIONS,
                "project_id": project_id,
                "trace_id": trace_id,
            },
        ).rowcount
        _store(connection, project_id, batch_id, rewritten.body, rewritten.tails,
               rewritten.span_count)  # fmt: skip
        batches += 1
        spans += size - rewritten.span_count
    return DeletedTrace(batches, spans, entries)


def _take_out(stored: StoredBody, trace_id: bytes) -> Rewritten | None:
    try:
        return take_out(stored, trace_id)
    except DamagedBody:
        # nobody can read it any more, but the trace may be in it: all of it goes
        return Rewritten(None, b"", 0)


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
    tails: bytes,
    span_count: int,
) -> None:
    """The digest stays: a retry of the whole body is still known, and does not bring it back."""
    values = {
        "id": batch_id,
        "project_id": project_id,
        "body": body,
        "tails": tails,
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
            "/* span_batch_traces.rewrite */ update span_batch_traces set tails = :tails"
            " where batch_id = :id and project_id = :project_id",
        ]
    for statement in statements:
        connection.execute(statement, values)
