"""Sums of any stretch of time, by endpoint and release, put together of remembered ones.

Whole hours are summed up in blocks of 1, 2, 4, 8 ... hours, each of its two halves: a day is some
six blocks, and when an hour grows, only the blocks that it lies in are added up anew. What a range
has before its last hour is remembered as one: all that is asked about the same range needs it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import reduce

from miniapm.clock import HOUR
from miniapm.domain.ranges import Tile, tile
from miniapm.storage.connection import Connection
from miniapm.storage.rollups.hours import Hours, find_hours, join_runs
from miniapm.storage.rollups.merging import Sum
from miniapm.storage.rollups.rows import find_rows

Sums = dict[int, dict[int, Sum]]
"""By endpoint and release; not to be changed."""

_SUM_BYTES = 400


def find_sums(
    connection: Connection, project_id: int, endpoint_id: int | None, since: int, until: int
) -> list[Sums]:
    """What together makes up since <= t < until (whole minutes): of all endpoints but
    ALL_ENDPOINTS, or only of `endpoint_id`, which may be that."""
    tiles = tile(since, until)
    if not tiles:
        return []
    hours = find_hours(connection, project_id, tiles[0].begin, tiles[-1].end)
    finder = _Finder(connection, project_id, endpoint_id, hours)
    early, late = _split(tiles, (tiles[-1].end - 1) // HOUR * HOUR)
    found = [finder.find_whole(early)] if early else []
    return found + finder.find_parts(late)


def each_sum(found: Iterable[Sums]) -> Iterator[tuple[int, int, Sum]]:
    """(endpoint, release, sum) of all that was found; most occur several times."""
    for sums in found:
        for endpoint_id, by_release in sums.items():
            for release_id, one in by_release.items():
                yield endpoint_id, release_id, one


def add_up_endpoints(
    found: Iterable[Sums],
    release_ids: Collection[int] | None,
    endpoint_ids: Collection[int] | None = None,
) -> dict[int, Sum]:
    """What these releases (all, where None) served, by endpoint; `endpoint_ids` are the wanted."""
    totals: dict[int, Sum] = {}
    for sums in found:
        for endpoint_id in sums if endpoint_ids is None else sums.keys() & endpoint_ids:
            for release_id, one in sums[endpoint_id].items():
                if release_ids is None or release_id in release_ids:
                    total = totals.get(endpoint_id)
                    if total is None:
                        total = totals[endpoint_id] = Sum()
                    total.add(one)
    return totals


class _Finder:
    def __init__(
        self, connection: Connection, project_id: int, endpoint_id: int | None, hours: Hours
    ) -> None:
        self._connection = connection
        self._project_id = project_id
        self._endpoint_id = endpoint_id
        self._hours = hours
        self._read: dict[int, Sums] = {}
        # what was found is not read: it must be there when it is asked for again
        self._found: dict[tuple[int, int], Sums] = {}

    def find_whole(self, tiles: list[Tile]) -> Sums:
        """The sums of adjoining tiles as one."""
        begin, end = tiles[0].begin, tiles[-1].end
        return self._remember(begin, end, lambda: reduce(_merge, self.find_parts(tiles)))

    def find_parts(self, tiles: Iterable[Tile]) -> list[Sums]:
        """The sums of tiles, one or several for each."""
        found: list[Sums] = []
        for part in tiles:
            found += self.find_blocks(part) if part.resolution == 60 else [self.find_tile(part)]
        return found

    def find_tile(self, part: Tile) -> Sums:
        """The sums of what is less than an hour."""
        return self._remember(
            part.begin, part.end, lambda: self._read_rows(part).get(part.begin, {})
        )

    def find_blocks(self, part: Tile) -> list[Sums]:
        """The sums of whole hours."""
        blocks = _cut_blocks(part.begin, part.end)
        missing = [at for block in blocks for at in self._find_missing(*block)]
        for begin, end in join_runs(missing, HOUR):
            self._read |= self._read_rows(Tile(60, begin, end), HOUR)
        return [self._find_block(*block) for block in blocks]

    def _find_missing(self, begin: int, end: int) -> list[int]:
        """The hours of a block that must be read."""
        if self._find(begin, end) is not None:
            return []
        if end - begin == HOUR:
            return [begin]
        middle = (begin + end) // 2
        return self._find_missing(begin, middle) + self._find_missing(middle, end)

    def _find_block(self, begin: int, end: int) -> Sums:
        if end - begin == HOUR:
            return self._remember(begin, end, lambda: self._read.get(begin, {}))
        middle = (begin + end) // 2
        return self._remember(
            begin,
            end,
            lambda: _merge(self._find_block(begin, middle), self._find_block(middle, end)),
        )

    def _find(self, begin: int, end: int) -> Sums | None:
        found = self._found.get((begin, end))
        if found is None:
            key = self._project_id, self._endpoint_id, begin, end
            found = self._connection.memory.find(key, self._hours.version(begin, end))
            if found is not None:
                self._found[begin, end] = found
        return found

    def _remember(self, begin: int, end: int, make: Callable[[], Sums]) -> Sums:
        found = self._find(begin, end)
        if found is None:
            found = make()
            self._connection.memory.keep(
                (self._project_id, self._endpoint_id, begin, end),
                self._hours.version(begin, end),
                found,
                _size_of(found),
            )
        return found

    def _read_rows(self, part: Tile, step: int | None = None) -> dict[int, Sums]:
        """The rows of a tile summed up by steps, or as one."""
        found: dict[int, Sums] = {}
        for row in find_rows(self._connection, self._project_id, self._endpoint_id, part):
            at = part.begin if step is None else row[2]
            by_release = found.setdefault(at, {}).setdefault(row[0], {})
            total = by_release.get(row[1])
            if total is None:
                total = by_release[row[1]] = Sum()
            total.add_row(row)
        return found


def _split(tiles: Iterable[Tile], at: int) -> tuple[list[Tile], list[Tile]]:
    """What lies before a whole hour, and the rest."""
    early: list[Tile] = []
    late: list[Tile] = []
    for part in tiles:
        if part.begin < at:
            early.append(part._replace(end=min(part.end, at)))
        if part.end > at:
            late.append(part._replace(begin=max(part.begin, at)))
    return early, late


def _cut_blocks(begin: int, end: int) -> list[tuple[int, int]]:
    """Whole hours in the largest blocks that begin at a whole number of their length."""
    blocks = []
    while begin < end:
        hour = begin // HOUR
        length = hour & -hour or 1 << 20
        while length > (end - begin) // HOUR:
            length >>= 1
        blocks.append((begin, begin + length * HOUR))
        begin += length * HOUR
    return blocks


def _size_of(sums: Sums) -> int:
    """About how many bytes it takes."""
    return sum(
        _SUM_BYTES + one.lanes.bit_length() // 8
        for by_release in sums.values()
        for one in by_release.values()
    )


def _merge(left: Sums, right: Sums) -> Sums:
    merged = left | right
    for endpoint_id in left.keys() & right.keys():
        by_release = left[endpoint_id] | right[endpoint_id]
        for release_id in left[endpoint_id].keys() & right[endpoint_id].keys():
            by_release[release_id] = both = Sum()
            both.add(left[endpoint_id][release_id])
            both.add(right[endpoint_id][release_id])
        merged[endpoint_id] = by_release
    return merged
