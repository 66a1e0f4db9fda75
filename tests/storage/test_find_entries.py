"""Lists of entries: slowest and newest first, filters, pages, and how far they look."""

import random
from collections.abc import Callable

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.storage.connection import Connection, transaction
from miniapm.storage.spans import find, recent
from miniapm.storage.spans.entries import (
    EntryCursor,
    EntryFilter,
    EntryPage,
    FoundEntry,
    get_entry,
)
from miniapm.storage.spans.find import find_examples, find_slowest
from miniapm.storage.spans.recent import find_recent
from tests.factories import START
from tests.storage.entry_rows import Entries

Find = Callable[
    [Connection, int, EntryFilter, int, EntryCursor | None],
    EntryPage,
]
DAY_BEFORE = EntryFilter(START - DAY, START)


@pytest.fixture
def entries(connection: Connection) -> Entries:
    return Entries(connection)


@pytest.fixture
def day(connection: Connection, entries: Entries) -> list[FoundEntry]:
    """900 entries of a day with many alike; those of every third hour came late, as many are of
    another project."""
    with transaction(connection):
        return add_day(entries)


def add_day(entries: Entries) -> list[FoundEntry]:
    entries.release()
    choose = random.Random(5)  # noqa: S311 - no secret
    made = []
    for number in range(900):
        at = START - choose.randrange(DAY)
        at -= at % choose.choice((1, SECOND, MINUTE))
        fields = {
            "started_at": at,
            "duration_us": choose.choice((5, 70, 70, 1000, choose.randrange(10**6))),
            "endpoint_id": choose.choice((1, 2)),
            "failed": int(number % 9 == 0),
            "status_code": choose.choice((200, 404, 500, None)),
        }
        if at // HOUR % 3 == 0:
            fields["arrived_at"] = START + number
        made.append(entries.add(**fields))
        entries.add(**fields, project_id=2)
    return [entry for entry in made if START - DAY <= entry.started_at < START]


def slowest_first(found: list[FoundEntry]) -> list[FoundEntry]:
    return sorted(found, key=lambda e: (e.duration_us, e.id), reverse=True)


def newest_first(found: list[FoundEntry]) -> list[FoundEntry]:
    return sorted(found, key=lambda e: (e.started_at, e.id), reverse=True)


def walk(connection: Connection, find: Find, wanted: EntryFilter, limit: int) -> list[FoundEntry]:
    """All pages, one after the other."""
    found: list[FoundEntry] = []
    after: EntryCursor | None = None
    for _ in range(2000):
        page = find(connection, 1, wanted, limit, after)
        assert len(page.entries) <= limit
        found += page.entries
        after = page.after
        if after is None:
            return found
    raise AssertionError("the pages do not end")


FILTERS = [
    DAY_BEFORE,
    DAY_BEFORE._replace(endpoint_id=2),
    DAY_BEFORE._replace(min_us=500),
    DAY_BEFORE._replace(failed=True),
    DAY_BEFORE._replace(failed=False, endpoint_id=1),
    DAY_BEFORE._replace(statuses=(404, 404)),
    DAY_BEFORE._replace(statuses=(500, 599)),
    DAY_BEFORE._replace(since=START - 5 * HOUR - 7, until=START - 90 * MINUTE),
    DAY_BEFORE._replace(service="shop", env="production", version="v1"),
]


def keep(day: list[FoundEntry], wanted: EntryFilter) -> list[FoundEntry]:
    """What the filter means, said another way."""
    low, high = wanted.statuses or (0, 999)
    return [
        e
        for e in day
        if wanted.since <= e.started_at < wanted.until
        and wanted.endpoint_id in (None, e.endpoint_id)
        and e.duration_us >= wanted.min_us
        and wanted.failed in (None, e.failed)
        and (wanted.statuses is None or low <= (e.status_code or 0) <= high)
    ]


@pytest.mark.parametrize("wanted", FILTERS)
@pytest.mark.parametrize("limit", [7, 400])
def test_all_pages_together_are_what_was_asked(
    connection: Connection, day: list[FoundEntry], wanted: EntryFilter, limit: int
) -> None:
    expected = keep(day, wanted)
    assert expected
    assert walk(connection, find_slowest, wanted, limit) == slowest_first(expected)
    assert walk(connection, find_recent, wanted, limit) == newest_first(expected)


@pytest.mark.parametrize("wanted", FILTERS)
def test_a_busy_hour_gives_the_same(
    connection: Connection,
    day: list[FoundEntry],
    wanted: EntryFilter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "WHOLE_HOUR", 3)
    expected = newest_first(keep(day, wanted))
    assert walk(connection, find_recent, wanted, 20) == expected


def test_a_busy_hour_that_came_in_time_is_read_by_arrival(
    connection: Connection, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "WHOLE_HOUR", 10)
    monkeypatch.setattr(recent, "_CHUNK", 50)
    monkeypatch.setattr(recent, "_MOST_ARRIVALS", 100)
    choose = random.Random(3)  # noqa: S311 - no secret
    made = []
    with transaction(connection):
        for number in range(700):
            took = choose.randrange(2 * SECOND)
            at = START - number * 10 * SECOND
            made.append(entries.add(started_at=at, duration_us=took, status_code=200 + number % 7))
            entries.add(project_id=2, started_at=at)
    expected = [entry for entry in made if START - DAY <= entry.started_at < START]
    assert walk(connection, find_recent, DAY_BEFORE, 50) == newest_first(expected)
    rare = DAY_BEFORE._replace(statuses=(206, 206))
    assert walk(connection, find_recent, rare, 50) == newest_first(keep(expected, rare))
    nothing = find_recent(connection, 1, DAY_BEFORE._replace(statuses=(503, 503)), 50)
    assert nothing.entries == []
    assert START - DAY < nothing.looked_back_to < START
    assert nothing.after == EntryCursor(nothing.looked_back_to, 0)


def test_of_very_many_the_slowest_of_each_hour_are_looked_at(
    connection: Connection, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "MOST_ROWS", 40)
    monkeypatch.setattr(find, "_LEAST_OF_HOUR", 10)
    for number in range(30):
        entries.add(started_at=START - HOUR - number, duration_us=1000 + number, failed=number < 5)
    page = find_slowest(connection, 1, DAY_BEFORE._replace(failed=True), 50)
    assert (page.entries, page.is_whole) == ([], False)
    whole = find_slowest(connection, 1, DAY_BEFORE, 5)
    assert [entry.duration_us for entry in whole.entries] == [1029, 1028, 1027, 1026, 1025]
    assert whole.is_whole


@pytest.mark.parametrize("find_entries", [find_slowest, find_recent])
def test_releases_are_told_by_their_names(
    connection: Connection, entries: Entries, find_entries: Find
) -> None:
    first = entries.add(release_id=entries.release(version="v1", revision="abcdef0123"))
    second = entries.add(release_id=entries.release(version="v2", env="staging"))
    third = entries.add(release_id=entries.release(version="v2", service="pay"))
    entries.add(project_id=2, release_id=entries.release(2, version="v9", service="pay"))
    wanted = EntryFilter(START - HOUR, START + HOUR)

    def ask(**fields: str) -> set[int]:
        page = find_entries(connection, 1, wanted._replace(**fields), 10, None)  # type: ignore[arg-type]
        return {entry.id for entry in page.entries}

    assert ask() == {first.id, second.id, third.id}
    assert ask(version="v2") == {second.id, third.id}
    assert ask(env="production") == {first.id, third.id}
    assert ask(service="pay", version="v2") == {third.id}
    assert ask(version="abcdef0") == {first.id}
    assert ask(version="abcdef0123") == {first.id}
    assert ask(version="abcd") == set()
    assert ask(version="v9") == set()


def test_an_empty_project_has_none(connection: Connection) -> None:
    expected = EntryPage([], None, START - DAY, is_whole=True)
    assert find_slowest(connection, 1, DAY_BEFORE, 10) == expected
    assert find_recent(connection, 1, DAY_BEFORE, 10) == expected


def test_the_indexes_are_used(connection: Connection, entries: Entries) -> None:
    """However many entries there are, an hour is found without looking at the others."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    entries.add(started_at=START - HOUR)
    find_slowest(connection, 1, DAY_BEFORE._replace(endpoint_id=1), 10)
    find_recent(connection, 1, DAY_BEFORE._replace(failed=True), 10)
    find_examples(connection, 1, 1, None, START - DAY, START, "failed", 10)
    connection.set_trace_callback(None)
    asked = [sql for sql in statements if sql.startswith("/* entries.")]
    assert len(asked) >= 6
    for sql in asked:
        plan = [row["detail"] for row in connection.execute(f"explain query plan {sql}")]
        assert not [step for step in plan if step.startswith("SCAN entries")], (sql, plan)


def test_examples_of_an_endpoint(connection: Connection, day: list[FoundEntry]) -> None:
    of_endpoint = [entry for entry in day if entry.endpoint_id == 2]
    slow = find_examples(connection, 1, 2, None, START - DAY, START, "slow", 12)
    assert slow == slowest_first(of_endpoint)[:12]
    failed = find_examples(connection, 1, 2, None, START - DAY, START, "failed", 12)
    latest = sorted((e for e in of_endpoint if e.failed), key=lambda e: e.id)[-12:]
    assert failed == newest_first(latest)
    part = find_examples(connection, 1, 2, None, START - 3 * HOUR, START - HOUR, "slow", 12)
    assert (
        part
        == slowest_first(
            [e for e in of_endpoint if START - 3 * HOUR <= e.started_at < START - HOUR]
        )[:12]
    )


def test_examples_of_releases(connection: Connection, entries: Entries) -> None:
    made = [entries.add(release_id=1 + n % 3, duration_us=n, failed=n % 2) for n in range(30)]
    until = START + 1
    slow = find_examples(connection, 1, 1, {2, 3}, START, until, "slow", 4)
    assert slow == slowest_first([e for e in made if e.release_id in (2, 3)])[:4]
    failed = find_examples(connection, 1, 1, {1}, START, until, "failed", 100)
    assert failed == newest_first([e for e in made if e.release_id == 1 and e.failed])
    assert find_examples(connection, 1, 1, set(), START, until, "slow", 4) == []


def test_one_entry_is_its_project_s_alone(connection: Connection, entries: Entries) -> None:
    entry = entries.add(trace_id=b"\x01" * 16, failed=1)
    assert get_entry(connection, 1, entry.id) == entry
    assert entry.failed is True
    assert get_entry(connection, 2, entry.id) is None
    assert get_entry(connection, 1, entry.id + 1) is None
