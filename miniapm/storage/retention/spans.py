"""Old batches of spans, with the entries in them."""

from miniapm.storage.connection import Connection, scalar
from miniapm.storage.progress import find_progress
from miniapm.storage.retention.sweep import Slice


class OldSpans:
    """The batches whose ids lie below `before_id`, oldest first."""

    def __init__(self, before_id: int) -> None:
        self._before_id = before_id

    def __call__(self, connection: Connection, size: int) -> Slice:
        end = find_end(connection, self._before_id)
        rest = scalar(
            connection,
            """/* span_batches.find_slice */ select id from span_batches where id < :end
            order by id limit 1 offset :size""",
            end=end,
            size=size,
        )
        removed = _delete_before(connection, end if rest is None else rest)
        return Slice(removed, rest is None)


def find_end(connection: Connection, before_id: int) -> int:
    """`before_id`, or the first entry that no rollup holds yet: what a crash left is to be counted
    first."""
    waiting = find_unflushed(connection)
    return before_id if waiting is None else min(before_id, waiting)


def find_unflushed(connection: Connection) -> int | None:
    """The first entry that no stored rollup holds; None when they hold all."""
    found: int | None = scalar(
        connection,
        "/* entries.find_unflushed */ select min(id) from entries where id > :progress",
        progress=find_progress(connection),
    )
    return found


def _delete_before(connection: Connection, end: int) -> dict[str, int]:
    values = {"end": end}
    spans = scalar(
        connection,
        "/* span_batches.sum_old */ select sum(span_count) from span_batches where id < :end",
        **values,
    )
    connection.execute(
        "/* span_batches.delete_old */ delete from span_batches where id < :end", values
    )
    connection.execute(
        "/* span_batch_traces.delete_old */ delete from span_batch_traces where batch_id < :end",
        values,
    )
    entries = connection.execute(
        "/* entries.delete_old */ delete from entries where id < :end", values
    ).rowcount
    return {"spans": spans or 0, "requests": entries}
