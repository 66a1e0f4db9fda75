"""Entries as a list, slowest first, and examples of an endpoint, at a cost that does not grow with
their number.

Goes from hour to hour by the index over durations. What no index answers is looked for among a
bounded number of the slowest of each hour.
"""

from collections.abc import Collection, Iterator
from heapq import heappush, heapreplace
from typing import Any, Literal

from miniapm.clock import HOUR
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.spans.entries import (
    COLUMNS,
    MOST_ROWS,
    EntryCursor,
    EntryFilter,
    EntryPage,
    FoundEntry,
    bind,
    hour_of,
    is_inside,
    iterate_hours,
    list_conditions,
    list_index_conditions,
    sort_newest_first,
    to_entry,
)

_LEAST_OF_HOUR = 400
_MOST_OF_HOUR = 100
_MOST_FAILED = 2_000
_NEVER = 2**63 - 1


def find_slowest(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    limit: int,
    after: EntryCursor | None = None,
) -> EntryPage:
    """At most `limit` entries, slowest first."""
    best: list[tuple[int, int, Any]] = []
    is_whole = True
    most = max(_LEAST_OF_HOUR, MOST_ROWS // _count_hours(wanted))
    looked = 0
    looked_back_to = wanted.since
    for hour in iterate_hours(connection, project_id, wanted, wanted.until):
        if looked > MOST_ROWS:
            looked_back_to, is_whole = (hour + 1) * HOUR, False
            break
        floor = best[0][0] if len(best) > limit else 0
        lowest = _find_lowest(connection, project_id, wanted, hour, after, floor, most)
        found = _read_slowest(
            connection, project_id, wanted, hour, after, max(floor, lowest or 0), limit + 1
        )
        is_narrow = wanted.is_narrow or not is_inside(hour, wanted)
        looked += most if lowest is not None and is_narrow else len(found)
        is_whole &= lowest is None or len(found) > limit
        for row in found:
            item = (row["duration_us"], row["id"], row)
            if len(best) <= limit:
                heappush(best, item)
            elif item[:2] > best[0][:2]:
                heapreplace(best, item)
    # most rows are no longer among them when all hours were looked at
    entries = [to_entry(row) for _, _, row in sorted(best, reverse=True)]
    cursor = None
    if len(entries) > limit:
        cursor = EntryCursor(entries[limit - 1].duration_us, entries[limit - 1].id)
    return EntryPage(entries[:limit], cursor, looked_back_to, is_whole)


def _count_hours(wanted: EntryFilter) -> int:
    return max(1, hour_of(wanted.until - 1) - hour_of(wanted.since) + 1)


def _find_lowest(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    after: EntryCursor | None,
    floor: int,
    most: int,
) -> int | None:
    """The duration below which entries of an hour are not looked at, for there are `most` above;
    None where there are not so many, or where all of them are wanted."""
    if not wanted.is_narrow and is_inside(hour, wanted):
        return None
    found = scalar(
        connection,
        f"""/* entries.lowest_looked_at */ select duration_us from entries
        where {list_index_conditions(wanted)} and duration_us between :floor and :top
        order by duration_us desc limit 1 offset :most""",
        **_bind_slowest(project_id, wanted, hour, after, floor, most=most),
    )
    return None if found is None else int(found)


def _read_slowest(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    after: EntryCursor | None,
    floor: int,
    limit: int,
) -> list[Any]:
    """Rows of COLUMNS."""
    place = " and (duration_us, id) < (:value, :id)" if after else ""
    return connection.execute(
        f"""/* entries.slowest */ select {COLUMNS} from entries
        where {list_index_conditions(wanted)} and duration_us between :floor and :top{place}
            and {list_conditions(wanted)}
        order by duration_us desc, id desc limit :limit""",
        _bind_slowest(project_id, wanted, hour, after, floor, limit=limit),
    ).fetchall()


def _bind_slowest(
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    after: EntryCursor | None,
    floor: int,
    **more: int,
) -> dict[str, Any]:
    value, last_id = after or (None, None)
    top = _NEVER if value is None else value
    return bind(
        project_id, wanted, hour=hour, floor=floor, top=top, value=value, id=last_id, **more
    )


def find_examples(
    connection: Connection,
    project_id: int,
    endpoint_id: int,
    release_ids: Collection[int] | None,
    since: int,
    until: int,
    kind: Literal["slow", "failed"],
    limit: int,
) -> list[FoundEntry]:
    """Entries of an endpoint to look at in since <= t < until: the slowest, or of the failed ones
    those that arrived last. `release_ids` None is all; of very many some are not looked at."""
    wanted = EntryFilter(since, until, endpoint_id=endpoint_id)

    def fits(entry: FoundEntry) -> bool:
        is_served = release_ids is None or entry.release_id in release_ids
        return is_served and since <= entry.started_at < until

    if kind == "failed":
        failed = (e for e in _iterate_failed(connection, project_id, endpoint_id) if fits(e))
        return sort_newest_first([entry for _, entry in zip(range(limit), failed, strict=False)])
    found: list[FoundEntry] = []
    for hour in iterate_hours(connection, project_id, wanted, until):
        floor = sorted(e.duration_us for e in found)[-limit] if len(found) >= limit else 0
        most = limit if release_ids is None else _MOST_OF_HOUR
        rows = _read_slowest(connection, project_id, wanted, hour, None, floor, most)
        slowest = (to_entry(row) for row in rows)
        found += [entry for entry in slowest if fits(entry)][:limit]
    return sorted(found, key=lambda entry: (entry.duration_us, entry.id), reverse=True)[:limit]


def _iterate_failed(
    connection: Connection, project_id: int, endpoint_id: int
) -> Iterator[FoundEntry]:
    rows = connection.execute(
        f"""/* entries.failed */ select {COLUMNS} from entries
        where project_id = :project_id and endpoint_id = :endpoint_id and failed = 1
        order by id desc limit {_MOST_FAILED}""",
        {"project_id": project_id, "endpoint_id": endpoint_id},
    )
    return (to_entry(row) for row in rows)
