"""Entries as a list, newest first, at a cost that does not grow with their number.

Goes from hour to hour, newest first. A quiet hour is read whole; in a busy one those that arrived
last are looked at, and the page says how far that was.
"""

from typing import NamedTuple

from miniapm.clock import HOUR, MINUTE, SECOND
from miniapm.domain.spans.ids import to_arrival, to_batch_id
from miniapm.storage.connection import Connection
from miniapm.storage.spans.entries import (
    COLUMNS,
    HOUR_OF,
    MOST_ROWS,
    EntryCursor,
    EntryFilter,
    EntryPage,
    FoundEntry,
    bind,
    iterate_hours,
    list_conditions,
    list_index_conditions,
    sort_newest_first,
    to_entry,
)

WHOLE_HOUR = 4_000
"""An hour of at most so many entries is read at once."""
_SAMPLE = 100
_CHUNK = 2_000
_MOST_ARRIVALS = 20_000
_MOST_LATE = 50_000
_LATE = 2 * MINUTE
_AHEAD = 2 * SECOND


def find_recent(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    limit: int,
    after: EntryCursor | None = None,
) -> EntryPage:
    """At most `limit` entries, those that began last first."""
    until = min(wanted.until, after.value + 1) if after else wanted.until
    place = after or EntryCursor(until, 0)
    entries: list[FoundEntry] = []
    looked = 0
    is_whole = True
    for hour in iterate_hours(connection, project_id, wanted, until):
        if looked > MOST_ROWS:
            return _cut(entries, limit, wanted.since, (hour + 1) * HOUR, is_whole)
        part = _read_hour(connection, project_id, wanted, hour, place, limit + 1 - len(entries))
        entries += part.entries
        looked += part.looked_at
        is_whole &= part.is_whole
        if len(entries) > limit or part.looked_back_to > hour * HOUR:
            return _cut(entries, limit, wanted.since, part.looked_back_to, is_whole)
    return _cut(entries, limit, wanted.since, wanted.since, is_whole)


def _cut(
    entries: list[FoundEntry], limit: int, since: int, looked_back_to: int, is_whole: bool
) -> EntryPage:
    after = None
    if len(entries) > limit:
        after = EntryCursor(entries[limit - 1].started_at, entries[limit - 1].id)
    elif looked_back_to > since:
        after = EntryCursor(looked_back_to, 0)
    return EntryPage(entries[:limit], after, looked_back_to, is_whole)


class _Part(NamedTuple):
    """What was found in an hour, among how many rows, and how far back."""

    entries: list[FoundEntry]
    looked_at: int
    looked_back_to: int
    is_whole: bool


def _read_hour(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    place: EntryCursor,
    limit: int,
) -> _Part:
    """The newest of an hour. Where there are many, in the order in which they arrived, if that is
    the order in which they began."""
    if not _is_busy(connection, project_id, wanted, hour):
        source = f"{list_index_conditions(wanted)}"
        found = _read_newest(connection, project_id, wanted, hour, place, limit, source)
        return _Part(found, WHOLE_HOUR // 4, hour * HOUR, True)
    if _is_live(connection, project_id, wanted, hour):
        return _read_arrivals(connection, project_id, wanted, hour, place, limit)
    return _read_late(connection, project_id, wanted, hour, place, limit)


def _is_busy(connection: Connection, project_id: int, wanted: EntryFilter, hour: int) -> bool:
    row = connection.execute(
        f"""/* entries.is_busy */ select 1 from entries where {list_index_conditions(wanted)}
        limit 1 offset {WHOLE_HOUR}""",
        bind(project_id, wanted, hour=hour),
    ).fetchone()
    return row is not None


def _read_newest(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    place: EntryCursor,
    limit: int,
    source: str,
    low: int = 0,
    high: int = 0,
) -> list[FoundEntry]:
    """Those of an hour that began last, among the rows that `source` tells."""
    rows = connection.execute(
        f"""/* entries.recent_of_hour */ select {COLUMNS} from (
            select project_id, {COLUMNS} from entries where {source} limit :most
        ) as looked_at
        where project_id = :project_id and {HOUR_OF} = :hour and duration_us >= :min_us
            and {list_conditions(wanted)} and (started_at, id) < (:value, :id)
        order by started_at desc, id desc limit :limit""",
        bind(
            project_id, wanted, hour=hour, most=_MOST_LATE, limit=limit, value=place.value,
            id=place.id, low=low, high=high,
        ),
    )  # fmt: skip
    return [to_entry(row) for row in rows]


def _read_late(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    place: EntryCursor,
    limit: int,
) -> _Part:
    """Of an hour whose entries came at some other time: most have ids in one stretch, and rows are
    read much faster in the order of their ids than one by one by the index."""
    low, high, count = connection.execute(
        f"""/* entries.ids_of_hour */ select min(id), max(id), count(*) from (
            select id from entries where {list_index_conditions(wanted)} limit :most
        ) as looked_at""",
        bind(project_id, wanted, hour=hour, most=_MOST_LATE),
    ).fetchone()
    endpoint = " and endpoint_id = :endpoint_id" if wanted.endpoint_id is not None else ""
    source = f"id between :low and :high{endpoint}"
    found = _read_newest(connection, project_id, wanted, hour, place, limit, source, low, high)
    return _Part(found, count, hour * HOUR, count < _MOST_LATE)


def _is_live(connection: Connection, project_id: int, wanted: EntryFilter, hour: int) -> bool:
    """Whether what began in an hour also arrived then, by the look of some of it. A few that came
    late are not listed as long as the hour is this busy."""
    rows = connection.execute(
        f"""/* entries.sample_hour */ select id, started_at, duration_us from entries
        where {list_index_conditions(wanted)} order by duration_us desc limit :most""",
        bind(project_id, wanted, hour=hour, most=_SAMPLE),
    ).fetchall()
    lags = [to_arrival(entry_id) - started_at - took for entry_id, started_at, took in rows]
    on_time = [lag for lag in lags if abs(lag) < _LATE]
    return len(on_time) * 20 >= len(lags) * 19


def _read_arrivals(
    connection: Connection,
    project_id: int,
    wanted: EntryFilter,
    hour: int,
    place: EntryCursor,
    limit: int,
) -> _Part:
    """By id, from those that arrived last downwards, until there are enough."""
    found: list[FoundEntry] = []
    bottom = to_batch_id(hour * HOUR)
    top = to_batch_id(min(place.value, wanted.until, (hour + 1) * HOUR) + _LATE)
    looked = 0
    endpoint = " and endpoint_id = :endpoint_id" if wanted.endpoint_id is not None else ""
    while True:
        values = bind(
            project_id, wanted, top=top, bottom=bottom, most=_CHUNK, hour=hour,
            value=place.value, id=place.id, limit=limit,
        )  # fmt: skip
        rows = connection.execute(
            f"""/* entries.arrivals */ select {COLUMNS} from (
                select project_id, {COLUMNS} from entries
                where id < :top and id >= :bottom order by id desc limit :most
            ) as looked_at where project_id = :project_id{endpoint} and {HOUR_OF} = :hour
                and duration_us >= :min_us and {list_conditions(wanted)}
                and (started_at, id) < (:value, :id)
            order by started_at desc, id desc limit :limit""",
            values,
        )
        found += [to_entry(row) for row in rows]
        count, lowest = connection.execute(
            """/* entries.count_arrivals */ select count(*), min(id) from (
                select id from entries where id < :top and id >= :bottom
                order by id desc limit :most
            ) as looked_at""",
            values,
        ).fetchone()
        looked += count
        if count < _CHUNK:
            break
        top = lowest
        # what began since then has arrived above
        back_to = min(to_arrival(lowest) + _AHEAD, place.value - SECOND)
        enough = sum(entry.started_at >= back_to for entry in found) >= limit
        if enough or looked >= _MOST_ARRIVALS:
            kept = [entry for entry in found if entry.started_at >= back_to]
            return _Part(sort_newest_first(kept)[:limit], looked, max(back_to, hour * HOUR), True)
    return _Part(sort_newest_first(found)[:limit], looked, hour * HOUR, True)
