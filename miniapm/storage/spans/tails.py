"""The batches in which a trace may lie, whenever they arrived: what pages remember of the tails of
older batches, so that SQLite need not look through all of them for every trace.

The ids of batches only ever grow, so a block of ids before that of the newest batch gets no more of
them. What is erased meanwhile is noticed: what was found in memory is looked up.
"""

from array import array
from bisect import bisect_right
from typing import NamedTuple

from miniapm.domain.spans.batches import TAIL_BYTES
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.spans.traces import find_batches

MOST_BYTES = 8 * 1024 * 1024
"""Of the tails that are remembered of one project; SQLite looks through those that are older."""
_BLOCK_BITS = 43
"""A block is what arrived within some 70 minutes."""
_BLOCK_BYTES = 500
"""What a block takes beside what is in it."""


class _Block(NamedTuple):
    """The tails of batches one after the other; those of batch `ids[n]` end before `ends[n]`."""

    ids: "array[int]"
    ends: "array[int]"
    tails: bytes

    @property
    def size(self) -> int:
        return len(self.tails) + 16 * len(self.ids) + _BLOCK_BYTES

    def find(self, tail: bytes) -> list[int]:
        """The batches with this tail, the last first."""
        found = []
        # from the end: bytes are looked through in two thirds of the time so
        place = self.tails.rfind(tail)
        while place >= 0:
            if place % TAIL_BYTES == 0:
                found.append(self.ids[bisect_right(self.ends, place)])
            place = self.tails.rfind(tail, 0, place + TAIL_BYTES - 1)
        return found


def find_all_batches(connection: Connection, project_id: int, ending: bytes) -> list[int]:
    """What `find_batches` gives of all times, at a part of its cost with the memory of a reader."""
    bounds = connection.execute(
        """/* span_batch_traces.bounds */ select
            (select min(batch_id) from span_batch_traces),
            (select max(batch_id) from span_batch_traces)"""
    ).fetchone()
    if bounds[0] is None:
        return []
    oldest, newest = (batch_id >> _BLOCK_BITS for batch_id in bounds)
    found: list[int] = []
    room, number = MOST_BYTES, newest
    while number > oldest and room > 0:
        number -= 1
        block = _get_block(connection, project_id, number)
        found += block.find(ending[-TAIL_BYTES:])
        room -= block.size
        if not block.ids and number > oldest:
            number = _find_number_before(connection, number) + 1
    late = find_batches(connection, project_id, ending, low=newest << _BLOCK_BITS)
    there = [one for one in found if _is_there(connection, project_id, ending, one)]
    early = find_batches(connection, project_id, ending, high=(number << _BLOCK_BITS) - 1)
    return [*late, *there, *early]


def _find_number_before(connection: Connection, number: int) -> int:
    """The block of the newest batch before a block: when a clock was wrong, years lie between."""
    newest = scalar(
        connection,
        """/* span_batch_traces.newest_before */ select max(batch_id) from span_batch_traces
        where batch_id < :begin""",
        begin=number << _BLOCK_BITS,
    )
    return int(newest) >> _BLOCK_BITS


def _is_there(connection: Connection, project_id: int, ending: bytes, batch_id: int) -> bool:
    return bool(find_batches(connection, project_id, ending, batch_id, batch_id))


def _get_block(connection: Connection, project_id: int, number: int) -> _Block:
    key = "tails", project_id, number
    block: _Block | None = connection.memory.find(key, None)
    if block is None:
        block = _read_block(connection, project_id, number)
        connection.memory.keep(key, None, block, block.size)
    return block


def _read_block(connection: Connection, project_id: int, number: int) -> _Block:
    rows = connection.execute(
        """/* span_batch_traces.block */ select batch_id, tails from span_batch_traces
        where batch_id >= :begin and batch_id < :end and project_id = :project_id
        order by batch_id""",
        {
            "begin": number << _BLOCK_BITS,
            "end": (number + 1) << _BLOCK_BITS,
            "project_id": project_id,
        },
    ).fetchall()
    ends = array("q")
    end = 0
    for _, tails in rows:
        end += len(tails)
        ends.append(end)
    return _Block(array("q", [row[0] for row in rows]), ends, b"".join(row[1] for row in rows))
