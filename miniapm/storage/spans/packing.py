"""The bodies that stay, made smaller: which are due, and putting what was packed in their place.

Bodies are compressed quickly while their sender waits. Soon after, in the order in which they
arrived, each is packed (`domain/otlp/packing.py`) and compressed well. A mark tells how far that
has come; it moves in the transaction that stores them, so whatever stops it, it goes on from there.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.otlp.stored import MOST_PACKED_BYTES, StoredBody, compress_to_keep
from miniapm.domain.spans.compression import Dictionary
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.overwriting import overwriting
from miniapm.storage.progress import PACKING, find_progress, set_progress
from miniapm.storage.spans.dictionaries import Bodies, find_latest_dictionary

log = logging.getLogger(__name__)

SLICE_BATCHES = 16
_SLICE_BYTES = 4 * 1024 * 1024
_LEAST_GAIN = 16
"""What is not smaller by a 16th is not worth writing."""


class DueBody(NamedTuple):
    """A batch's body as it is stored, and the dictionary that it is to be packed with."""

    batch_id: int
    project_id: int
    stored: StoredBody
    dictionary: Dictionary | None


class DueBodies(NamedTuple):
    """Some of the bodies behind the mark; once they are done, so is all up to batch `reached`."""

    bodies: list[DueBody]
    reached: int


class PackedBody(NamedTuple):
    """What is to stand in the place of `was`."""

    batch_id: int
    project_id: int
    was: bytes
    body: bytes


def find_due(connection: Connection, limit: int = SLICE_BATCHES) -> DueBodies | None:
    """At most `limit` bodies behind the mark and some megabytes, the first to arrive first; None
    when there is nothing behind it. What is very large is left out."""
    after = find_progress(connection, PACKING)
    projects: dict[int, tuple[Bodies, Dictionary | None]] = {}
    due: list[DueBody] = []
    reached = count = size = 0
    rows = connection.execute(
        """/* span_batches.due */ select id, project_id, format, defaults, body from span_batches
        where id > :after and format <> 'requests' order by id limit :limit""",
        {"after": after, "limit": limit},
    )
    for row in rows:
        count, reached = count + 1, row["id"]
        project_id = row["project_id"]
        if project_id not in projects:
            projects[project_id] = (
                Bodies(connection, project_id),
                find_latest_dictionary(connection, project_id),
            )
        bodies, dictionary = projects[project_id]
        stored = bodies.stored(row)
        if stored.size <= MOST_PACKED_BYTES:
            due.append(DueBody(reached, project_id, stored, dictionary))
            size += stored.size
            if size >= _SLICE_BYTES:
                return DueBodies(due, reached)
    if count < limit:
        last = scalar(connection, "/* span_batches.last */ select max(id) from span_batches")
        reached = last or 0
    return DueBodies(due, reached) if reached > after else None


def pack_body(due: DueBody) -> PackedBody | None:
    """What to store in its place; None where that is not worth it, or it cannot be read."""
    stored = due.stored
    try:
        frame = compress_to_keep(stored.format, stored.open(), due.dictionary)
    except Exception as error:
        log.error("the body of batch %d cannot be packed", due.batch_id, exc_info=error)
        return None
    if len(frame) > len(stored.body) * (_LEAST_GAIN - 1) // _LEAST_GAIN:
        return None
    return PackedBody(due.batch_id, due.project_id, stored.body, frame)


def replace_bodies(connection: Connection, packed: Sequence[PackedBody], reached: int) -> int:
    """Puts the packed bodies in the place of what they were made of, and moves the mark; gives how
    many it were. One that was erased or rewritten meanwhile stays as it is."""
    # what is erased later must not be found in the pages that become free here
    with overwriting(connection):
        replaced = connection.executemany(
            """/* span_batches.pack */ update span_batches set body = :body
            where id = :batch_id and project_id = :project_id and body = :was""",
            [one._asdict() for one in packed],
        ).rowcount
    set_progress(connection, reached, PACKING)
    return max(0, replaced)
