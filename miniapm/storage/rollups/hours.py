"""What pages remember of rollups: each thing by the hours that it was made of.

An hour is told from what it was before by how many requests it counts: whatever comes later, late
telemetry too, adds some.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from miniapm.clock import HOUR
from miniapm.domain.ranges import Tile
from miniapm.domain.spans.values import ALL_ENDPOINTS
from miniapm.storage.connection import Connection
from miniapm.storage.rollups.rows import bind_tile


class Hours(NamedTuple):
    """How many requests each hour from `begin` on counts."""

    begin: int
    counts: tuple[int, ...]

    def version(self, since: int, until: int) -> Hashable:
        """What changes when anything is added in since <= t < until."""
        return self.counts[(since - self.begin) // HOUR : -((self.begin - until) // HOUR)]


def find_hours(connection: Connection, project_id: int, since: int, until: int) -> Hours:
    """The hours that since <= t < until touches; SQLite adds up what is in each."""
    begin, end = since - since % HOUR, until + -until % HOUR
    rows = connection.execute(
        """/* rollups.find_hours */ select started_at, sum(count) from rollups
        where project_id = :project_id and resolution = :resolution and endpoint_id = :endpoint_id
            and started_at >= :since and started_at < :until
        group by started_at""",
        bind_tile(project_id, Tile(60, begin, end), ALL_ENDPOINTS),
    )
    counts = dict(map(tuple, rows))
    return Hours(begin, tuple(counts.get(at, 0) for at in range(begin, end, HOUR)))


def join_runs(begins: Iterable[int], step: int) -> Iterator[tuple[int, int]]:
    """The stretches that steps, given by their begins in rising order, make up together."""
    since = until = None
    for begin in begins:
        if begin != until:
            if since is not None and until is not None:
                yield since, until
            since = begin
        until = begin + step
    if since is not None and until is not None:
        yield since, until
