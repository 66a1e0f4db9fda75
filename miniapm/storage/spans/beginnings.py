"""The traces whose ids begin in some way, looked for among the requests that arrived last.

No index knows them: they are read in the order in which they arrived, as many as take no time.
"""

from typing import NamedTuple

from miniapm.domain.spans.ids import to_arrival, to_batch_id
from miniapm.storage.connection import Connection, scalar

MOST_ENTRIES = 200_000
_ID_DIGITS = 32


class TraceBeginnings(NamedTuple):
    """Traces by their ids, the newest first, each with its last entry. What arrived before
    `looked_back_to` (µs) was not looked at; None where all of the time was."""

    entries: dict[bytes, int]
    looked_back_to: int | None


def find_beginnings(
    connection: Connection,
    project_id: int,
    beginning: str,
    since: int,
    until: int,
    limit: int,
) -> TraceBeginnings:
    """At most `limit` traces of what arrived at since <= t < until (µs) that begin so (in hex)."""
    bottom, top = to_batch_id(since), to_batch_id(until)
    lowest = scalar(
        connection,
        """/* entries.first_of_last */ select id from entries where id >= :bottom and id < :top
        order by id desc limit 1 offset :before""",
        bottom=bottom,
        top=top,
        before=MOST_ENTRIES - 1,
    )
    # "+": by the index over a project's hours it takes ten times as long
    rows = connection.execute(
        """/* entries.beginning */ select trace_id, id from entries
        where id >= :bottom and id < :top and +project_id = :project_id
            and trace_id >= :low and trace_id <= :high
        order by id desc""",
        {
            "bottom": bottom if lowest is None else lowest,
            "top": top,
            "project_id": project_id,
            "low": bytes.fromhex(beginning.ljust(_ID_DIGITS, "0")),
            "high": bytes.fromhex(beginning.ljust(_ID_DIGITS, "f")),
        },
    )
    found: dict[bytes, int] = {}
    for trace_id, entry_id in rows:
        found.setdefault(trace_id, entry_id)
        if len(found) >= limit:
            break
    return TraceBeginnings(found, None if lowest is None else to_arrival(lowest))
