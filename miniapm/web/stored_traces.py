"""One trace out of the stored bodies: read on a reading connection, decoded beside the loop."""

import asyncio
from typing import NamedTuple

from miniapm.domain.otlp.stored import StoredBody, read_spans
from miniapm.domain.spans.span import Span
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.spans.entries import FoundEntry, get_entry
from miniapm.storage.spans.traces import find_bodies, find_trace_entries
from miniapm.web.context import Context

MOST_SPANS = 10_000


class LoadedTrace(NamedTuple):
    """`entries` came with the spans, the first to begin first; `entry` is the one that the caller
    named, which may be there when the spans are gone. `is_all`: all that is stored was looked
    through. `is_cut`: there are more spans than were read."""

    trace_id: bytes
    spans: list[Span]
    entries: list[FoundEntry]
    entry: FoundEntry | None
    is_all: bool
    is_cut: bool


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
    """The trace; `near_id` is an entry of it, so that only what arrived near it is looked through.

    NotFound where nothing of it is there.
    """
    found = await context.database.read(_find, project_id, trace_id, near_id)
    spans = await asyncio.to_thread(_decode, found.bodies, trace_id)
    if not spans and not found.entries and found.entry is None:
        raise NotFound(
            f"There is no trace {trace_id.hex()} here. "
            f"Spans are kept for {context.config.retention.spans}."
        )
    return LoadedTrace(
        trace_id,
        spans[:MOST_SPANS],
        found.entries,
        found.entry,
        found.is_all,
        is_cut=len(spans) > MOST_SPANS or found.has_more,
    )


class _Found(NamedTuple):
    bodies: list[StoredBody]
    entries: list[FoundEntry]
    entry: FoundEntry | None
    is_all: bool
    has_more: bool


def _find(connection: Connection, project_id: int, trace_id: bytes, near_id: int | None) -> _Found:
    entry = None if near_id is None else get_entry(connection, project_id, near_id)
    if entry is not None and entry.trace_id != trace_id:
        entry = None
    found = find_bodies(connection, project_id, trace_id, near_id if entry else None)
    return _Found(
        found.bodies,
        find_trace_entries(connection, project_id, trace_id, found.ids),
        entry,
        found.is_all,
        has_more=len(found.ids) > len(found.bodies),
    )


def _decode(bodies: list[StoredBody], trace_id: bytes) -> list[Span]:
    spans: list[Span] = []
    for stored in bodies:
        if len(spans) > MOST_SPANS:
            break
        spans += read_spans(stored, trace_id, MOST_SPANS + 1 - len(spans))
    return spans
