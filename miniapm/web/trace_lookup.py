"""Traces by a part of their id: its beginning by the requests that came last, its end by spans."""

from typing import NamedTuple

from miniapm.domain.otlp.stored import StoredBody, find_trace_ids
from miniapm.domain.ranges import TimeRange
from miniapm.domain.spans.batches import TAIL_BYTES
from miniapm.storage.spans.beginnings import find_beginnings
from miniapm.storage.spans.traces import find_batches
from miniapm.web.batch_search import BatchSearch
from miniapm.web.context import Context

MOST_FOUND = 20


class FoundTrace(NamedTuple):
    """`at` is the entry that hints where the trace lies, "" where none is known."""

    trace_id: str
    at: str


class FoundTraces(NamedTuple):
    """A few traces. The requests that arrived since `since` (µs) were looked at, and of the batches
    that may hold the ending all but `unseen`."""

    traces: list[FoundTrace]
    since: int
    unseen: int


async def find_traces(
    context: Context, project_id: int, part: str, time_range: TimeRange
) -> FoundTraces:
    """The traces whose ids begin or end with `part` (hex, of a tail at least), the newest first."""
    begun = await context.database.read(
        find_beginnings, project_id, part, time_range.since, time_range.until, MOST_FOUND
    )
    found = {trace_id.hex(): str(entry_id) for trace_id, entry_id in begun.entries.items()}

    def take(batch_id: int, stored: StoredBody) -> bool:
        for trace_id in find_trace_ids(stored, part, MOST_FOUND):
            found.setdefault(trace_id, "")
        return len(found) >= MOST_FOUND

    search = BatchSearch(context, project_id, take)
    ending = bytes.fromhex(part[-2 * TAIL_BYTES :])
    await search.look_through(await context.database.read(find_batches, project_id, ending))
    return FoundTraces(
        [FoundTrace(*pair) for pair in found.items()][:MOST_FOUND],
        begun.looked_back_to or time_range.since,
        search.unseen,
    )
