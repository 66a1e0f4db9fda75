"""Entries as rows: what is read of one, and how those that are wanted are told in SQL."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from miniapm.clock import HOUR
from miniapm.storage.connection import Connection

COLUMNS = """id, endpoint_id, release_id, started_at, duration_us, failed, status_code, trace_id,
    database_us, database_count, http_us, http_count"""
HOUR_OF = "started_at / 3600000000"
"""As the indexes have it."""
MOST_ROWS = 25_000
"""Rows that one page looks at."""


class FoundEntry(NamedTuple):
    """An entry. Instants and durations in µs; `trace_id` is None for what came without spans."""

    id: int
    endpoint_id: int
    release_id: int
    started_at: int
    duration_us: int
    failed: bool
    status_code: int | None
    trace_id: bytes | None
    database_us: int
    database_count: int
    http_us: int
    http_count: int


class EntryFilter(NamedTuple):
    """Which entries: since <= t < until in µs, None leaves a field open. `statuses` are the lowest
    and the highest HTTP status, `version` may be the beginning of a revision, too."""

    since: int
    until: int
    env: str | None = None
    service: str | None = None
    version: str | None = None
    endpoint_id: int | None = None
    min_us: int = 0
    failed: bool | None = None
    statuses: tuple[int, int] | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether more is asked than an index answers."""
        return (
            any(value is not None for value in (self.env, self.service, self.version))
            or self.failed is not None
            or self.statuses is not None
        )


class EntryCursor(NamedTuple):
    """The place after which the next page begins: what the list is sorted by (duration, or when it
    began), and the id."""

    value: int
    id: int


class EntryPage(NamedTuple):
    """`after` is None on the last page. What began before `looked_back_to` (µs) was not looked at
    for this page. `is_whole` is False where of some hours only a part was."""

    entries: list[FoundEntry]
    after: EntryCursor | None
    looked_back_to: int
    is_whole: bool


def list_index_conditions(wanted: EntryFilter) -> str:
    """What the index over an hour's durations answers."""
    endpoint = " and endpoint_id = :endpoint_id" if wanted.endpoint_id is not None else ""
    least = " and duration_us >= :min_us" if wanted.min_us else ""
    return f"project_id = :project_id{endpoint} and {HOUR_OF} = :hour{least}"


def list_conditions(wanted: EntryFilter) -> str:
    """What must be looked up in the row; begins with the time, which is always asked."""
    where = ["started_at >= :since and started_at < :until"]
    names = [name for name in ("env", "service") if getattr(wanted, name) is not None]
    releases = [f"{name} = :{name}" for name in names]
    if wanted.version is not None:
        releases.append(
            "(version = :version or revision = :version"
            " or (length(:version) >= 7 and substr(revision, 1, length(:version)) = :version))"
        )
    if releases:
        where.append(
            "release_id in (select id from releases"
            f" where project_id = :project_id and {' and '.join(releases)})"
        )
    if wanted.failed is not None:
        where.append("failed = :failed")
    if wanted.statuses is not None:
        where.append("status_code between :lowest and :highest")
    return " and ".join(where)


def bind(project_id: int, wanted: EntryFilter, **more: Any) -> dict[str, Any]:
    """The values that the conditions name."""
    lowest, highest = wanted.statuses or (None, None)
    return {
        **wanted._asdict(),
        "project_id": project_id,
        "failed": None if wanted.failed is None else int(wanted.failed),
        "lowest": lowest,
        "highest": highest,
        **more,
    }


def to_entry(row: Any) -> FoundEntry:
    return FoundEntry._make((*row[:5], bool(row[5]), *row[6:]))


def get_entry(connection: Connection, project_id: int, entry_id: int) -> FoundEntry | None:
    """One entry, or None where it is not there any more."""
    row = connection.execute(
        f"""/* entries.get */ select {COLUMNS} from entries
        where id = :id and project_id = :project_id""",
        {"id": entry_id, "project_id": project_id},
    ).fetchone()
    return None if row is None else to_entry(row)


def iterate_hours(
    connection: Connection, project_id: int, wanted: EntryFilter, until: int
) -> Iterator[int]:
    """The hours in which anything began, newest first."""
    first = hour_of(wanted.since)
    hour: int | None = hour_of(until - 1)
    while hour is not None and hour >= first:
        hour = _find_hour_before(connection, project_id, wanted.endpoint_id, hour, first)
        if hour is not None:
            yield hour
            hour -= 1


def _find_hour_before(
    connection: Connection, project_id: int, endpoint_id: int | None, hour: int, first: int
) -> int | None:
    """The last hour up to `hour` in which anything began, not before `first`; None when there is
    none. One look into the index."""
    endpoint = " and endpoint_id = :endpoint_id" if endpoint_id is not None else ""
    row = connection.execute(
        f"""/* entries.hour_before */ select {HOUR_OF} from entries
        where project_id = :project_id{endpoint} and {HOUR_OF} between :first and :hour
        order by {HOUR_OF} desc limit 1""",
        {
            "project_id": project_id,
            "endpoint_id": endpoint_id,
            "hour": hour,
            "first": first,
        },
    ).fetchone()
    return None if row is None else int(row[0])


def hour_of(instant: int) -> int:
    return instant // HOUR


def is_inside(hour: int, wanted: EntryFilter) -> bool:
    """Whether all of an hour is wanted."""
    return wanted.since <= hour * HOUR and (hour + 1) * HOUR <= wanted.until


def sort_newest_first(entries: list[FoundEntry]) -> list[FoundEntry]:
    return sorted(entries, key=lambda entry: (entry.started_at, entry.id), reverse=True)
