"""One trace out of the stored bodies, as far as it can be found in bounded time."""

from typing import NamedTuple

from miniapm.domain.otlp.stored import StoredBody, read_spans
from miniapm.domain.spans.span import Span
from miniapm.exceptions import Busy, NotFound
from miniapm.storage.spans.entries import FoundEntry, get_entry
from miniapm.storage.spans.tails import find_all_batches
from miniapm.storage.spans.traces import find_batches_near, find_trace_entries
from miniapm.web.batch_search import BatchSearch
from miniapm.web.context import Context

MOST_SPANS = 10_000
MOST_HELD_BYTES = 64 * 1024 * 1024
"""Of bodies that hold the trace, opened: decoding them takes longer than looking through others."""


class LoadedTrace(NamedTuple):
    """`entries` came with the spans, the first to begin first; `entry` is the one that the caller
    named, which may be there when the spans are gone. `is_all`: all that is stored was looked
    through. `is_cut`: there are more spans than were read. Of the batches that may hold it `looked`
    were looked through, and `unseen` were not, for it would have taken too long."""

    trace_id: bytes
    spans: list[Span]
    entries: list[FoundEntry]
    entry: FoundEntry | None
    is_all: bool
    is_cut: bool
    looked: int
    unseen: int

    @property
    def is_unreadable(self) -> bool:
        """Whether it is stored, but none of its spans can be read."""
        return not self.spans and bool(self.entries)


def read_trace_id(text: str) -> bytes:
    """The 16 bytes; NotFound where `text` is no trace id."""
    try:
        trace_id = bytes.fromhex(text)
    except ValueError:
        trace_id = b""
    # fromhex() steps over spaces
    if len(trace_id) != 16 or len(text) != 32:
        raise NotFound("A trace id is 32 hex characters.")
    return trace_id


async def load_trace(
    context: Context, project_id: int, trace_id: bytes, near_id: int | None
) -> LoadedTrace:
    """The trace; `near_id` is an entry of it: what arrived near it is looked through first, and all
    else only where nothing of it is there.

    NotFound where nothing of it is stored; Busy where so many batches may hold it that telling
    would take too long.
    """
    read = context.database.read
    entry = None if near_id is None else await read(get_entry, project_id, near_id)
    if entry is not None and entry.trace_id != trace_id:
        entry = None
    holders = _Holders(trace_id)
    search = BatchSearch(context, project_id, holders.take)
    if entry is not None:
        await search.look_through(await read(find_batches_near, project_id, trace_id, entry.id))
    is_all = not holders.spans and not search.unseen
    if is_all:
        await search.look_through(await read(find_all_batches, project_id, trace_id))
    # where no span can be read, an entry still tells that the trace is there
    held = holders.batch_ids or search.looked_through
    entries = await read(find_trace_entries, project_id, trace_id, held)
    if not holders.spans and not entries and entry is None:
        raise _tell_missing(trace_id, search, context)
    return LoadedTrace(
        trace_id,
        holders.spans[:MOST_SPANS],
        entries,
        entry,
        is_all=is_all and not search.unseen and not search.is_over,
        is_cut=search.is_over,
        looked=len(search.looked_through),
        unseen=search.unseen,
    )


class _Holders:
    """Gathers the spans of a trace, one more than are shown, and which batches hold them."""

    def __init__(self, trace_id: bytes) -> None:
        self._trace_id = trace_id
        self._room = MOST_HELD_BYTES
        self.spans: list[Span] = []
        self.batch_ids: list[int] = []

    def take(self, batch_id: int, stored: StoredBody) -> bool:
        """Whether that is enough."""
        found = read_spans(stored, self._trace_id, MOST_SPANS + 1 - len(self.spans))
        if found:
            self.spans += found
            self.batch_ids.append(batch_id)
            self._room -= stored.size
        return len(self.spans) > MOST_SPANS or self._room <= 0


def _tell_missing(trace_id: bytes, search: BatchSearch, context: Context) -> NotFound | Busy:
    if search.unseen:
        return Busy(
            f"Trace {trace_id.hex()} is not in the {len(search.looked_through):,} batches of spans"
            f" that were looked through, and {search.unseen:,} more may hold it. Open it from the"
            " list of traces, whose links say when it arrived."
        )
    return NotFound(
        f"There is no trace {trace_id.hex()} here. "
        f"Spans are kept for {context.config.retention.spans}.",
        "It may be older than that, or it was erased. One of another project looks like this too.",
    )
