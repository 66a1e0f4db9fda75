"""What pages remember of each step of a range: what came in an hour changes nothing in others."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from miniapm.clock import HOUR
from miniapm.domain.ranges import TimeRange
from miniapm.storage.connection import Connection
from miniapm.storage.rollups.hours import find_hours, join_runs

T = TypeVar("T")

_STEP_BYTES = 500


def find_steps(
    connection: Connection,
    project_id: int,
    key: Hashable,
    time_range: TimeRange,
    read: Callable[[int, int], dict[int, T]],
) -> dict[int, T]:
    """What `read` gives for `time_range`, by the begins of its steps; rounded out to whole hours.

    It is read for stretches of which not all is remembered under `key`. Its values are shared.
    """
    length = max(time_range.step_us, HOUR)
    since = time_range.since - time_range.since % length
    parts = range(since, time_range.until, length)
    hours = find_hours(connection, project_id, since, parts[-1] + length)
    whole = project_id, key, time_range.resolution_minutes, time_range.step_us
    found: dict[int, T] = {}
    missing: list[int] = []
    for at in parts:
        part = connection.memory.find((*whole, at), hours.version(at, at + length))
        if part is None:
            missing.append(at)
        else:
            found |= part
    for begin, end in join_runs(missing, length):
        steps = read(begin, end)
        found |= steps
        by_part: dict[int, dict[int, T]] = {at: {} for at in range(begin, end, length)}
        for at, value in steps.items():
            by_part[at - at % length][at] = value
        for at, part in by_part.items():
            size = _STEP_BYTES * (1 + len(part))
            connection.memory.keep((*whole, at), hours.version(at, at + length), part, size)
    return found
