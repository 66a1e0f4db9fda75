"""Traces by a part of their id: its beginning by the requests that came last, its end by spans."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.domain.otlp.stored import StoredBody, find_trace_ids
from miniapm.domain.ranges import TimeRange
from miniapm.domain.spans.batches import TAIL_BYTES
from miniapm.storage.connection import Connection
from miniapm.storage.spans.beginnings import find_beginnings
from miniapm.storage.spans.entries import FoundEntry, get_entry
from miniapm.storage.spans.tails import find_all_batches
from miniapm.storage.spans.traces import find_trace_entries
from miniapm.web.batch_search import BatchSearch
from miniapm.web.context import Context

MOST_FOUND = 20


class FoundTraces(NamedTuple):
    """A few traces: an entry of each, or its id alone where none is known. The requests that
    arrived since `since` (µs) were looked at, and of the batches that may hold the ending all but
    `unseen`."""

    entries: list[FoundEntry]
    others: list[str]
    since: int
    unseen: int


async def find_traces(
    context: Context, project_id: int, part: str, time_range: TimeRange
) -> FoundTraces:
    """The traces whose ids begin or end with `part` (hex, of a tail at least), the newest first."""
    begun = await context.database.read(
        find_beginnings, project_id, part, time_range.since, time_range.until, MOST_FOUND
    )
    ended: dict[bytes, int] = {}

    def take(batch_id: int, stored: StoredBody) -> bool:
        for trace_id in map(bytes.fromhex, find_trace_ids(stored, part, MOST_FOUND)):
            if trace_id not in begun.entries:
                ended.setdefault(trace_id, batch_id)
        return len(begun.entries) + len(ended) >= MOST_FOUND

    search = BatchSearch(context, project_id, take)
    ending = bytes.fromhex(part[-2 * TAIL_BYTES :])
    await search.look_through(await context.database.read(find_all_batches, project_id, ending))
    entries = await context.database.read(_read_entries, project_id, begun.entries, ended)
    known = {entry.trace_id for entry in entries}
    return FoundTraces(
        entries[:MOST_FOUND],
        [trace_id.hex() for trace_id in ended if trace_id not in known][:MOST_FOUND],
        begun.looked_back_to or time_range.since,
        search.unseen,
    )


def _read_entries(
    connection: Connection, project_id: int, begun: Mapping[bytes, int], ended: Mapping[bytes, int]
) -> list[FoundEntry]:
    """An entry of each trace: by its id in `begun`, and out of the batch in `ended`."""
    known = [get_entry(connection, project_id, entry_id) for entry_id in begun.values()]
    for trace_id, batch_id in ended.items():
        known += find_trace_entries(connection, project_id, trace_id, [batch_id])[:1]
    return [entry for entry in known if entry is not None]
