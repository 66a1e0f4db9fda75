"""Whether stored spans can be read: SQLite does not see damage within a body."""

import time
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest

from miniapm.clock import SECOND, to_rfc3339
from miniapm.domain.doctor import Finding
from miniapm.domain.otlp.stored import DamagedBody
from miniapm.domain.spans.ids import to_arrival
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.spans.dictionaries import Bodies

EACH_WAY = 30
"""How many batches are looked at of the newest, of the oldest, and of those between."""
MOST_BYTES = 64 * 1024 * 1024
_MOST_SECONDS = 3.0
_NAMED = 3


def examine_bodies(
    connection: Connection,
    most_bytes: int = MOST_BYTES,
    timer: Callable[[], float] = time.monotonic,
) -> list[Finding]:
    """What a sample of the stored bodies of all projects tells; nothing where there are none.
    `timer` counts seconds."""
    looked_at, damaged = _look_through(connection, most_bytes, timer)
    if not looked_at:
        return []
    if not damaged:
        told = f"Batches of spans that were looked at: {looked_at}. All of them can be read."
        return [Finding("ok", "spans", told)]
    damaged.sort()
    first = to_arrival(damaged[0])
    names = ", ".join(map(str, damaged[:_NAMED]))
    more = len(damaged) - _NAMED
    return [
        Finding(
            "problem",
            "spans",
            f"{len(damaged)} of {looked_at} batches of spans that were looked at cannot be read, "
            f"since {to_rfc3339(first - first % SECOND)}: {names}"
            + (f" and {more} more." if more > 0 else "."),
            "Their spans are missing in traces; no figure needs them, and they go when their time "
            "is over (retention.spans). Look whether the disk fails; a backup from before has them "
            "whole.",
        )
    ]


def _look_through(
    connection: Connection, most_bytes: int, timer: Callable[[], float]
) -> tuple[int, list[int]]:
    """How many bodies were opened, and the ids of the batches whose body does not open."""
    projects: dict[int, Bodies] = {}
    damaged: list[int] = []
    count = size = 0
    end = timer() + _MOST_SECONDS
    for batch_id in _sample(connection):
        if size >= most_bytes or timer() >= end:
            break
        row = connection.execute(
            """/* doctor.find_body */ select project_id, format, defaults, body from span_batches
            where id = :id and format <> 'requests'""",
            {"id": batch_id},
        ).fetchone()
        if row is None:
            continue
        project_id = row["project_id"]
        if project_id not in projects:
            projects[project_id] = Bodies(connection, project_id)
        count += 1
        try:
            size += len(projects[project_id].stored(row).open())
        except DamagedBody:
            damaged.append(batch_id)
    return count, damaged


def _sample(connection: Connection) -> Iterator[int]:
    """The ids of some batches, in turn from the end, from the beginning and from between."""
    newest, oldest = (
        [
            row["id"]
            for row in connection.execute(
                f"""/* doctor.find_batches */ select id from span_batches
                order by id {order} limit {EACH_WAY}"""
            )
        ]
        for order in ("desc", "asc")
    )
    if not newest:
        return
    first, step = oldest[0], (newest[0] - oldest[0]) // (EACH_WAY + 1)
    between = (
        scalar(
            connection,
            "/* doctor.next_batch */ select min(id) from span_batches where id >= :at",
            at=first + place * step,
        )
        for place in range(1, EACH_WAY + 1)
    )
    in_turn = chain.from_iterable(zip_longest(newest, oldest, between))
    yield from dict.fromkeys(one for one in in_turn if one is not None)
