"""The writing thread's memory of telemetry: it always agrees with the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from miniapm.clock import MINUTE
from miniapm.domain.ids import IdMaker
from miniapm.domain.spans.batches import build_batch
from miniapm.domain.spans.ids import BatchIds
from miniapm.domain.spans.values import (
    OTHER,
    EarlyCalls,
    Entry,
    ReleaseName,
    SpanBatch,
    Telemetry,
    TelemetryDefaults,
)
from miniapm.storage.connection import Connection
from miniapm.storage.spans.names import RECENT, NameCaps, NameIds
from miniapm.storage.telemetry import REMEMBER_BODIES, TelemetryStore
from tests.conftest import FakeClock
from tests.factories import START

DEFAULTS = TelemetryDefaults("shop", "production")
RELEASE = ReleaseName("shop", "production", "v1", "aaaaaaa1")


def make_batch(body: bytes, *endpoints: str, at: int = START, **fields: Any) -> SpanBatch:
    entries = [
        Entry(RELEASE, endpoint, at, 1000, False, 200, bytes([number + 1]) * 16, **fields)
        for number, endpoint in enumerate(endpoints)
    ]
    return build_batch(
        "protobuf",
        body,
        trace_ids=[e.trace_id for e in entries if e.trace_id],
        starts=[at * 1000] * len(entries),
        entries=entries,
        occurrences=[],
    )


def telemetry(*batches: SpanBatch) -> Telemetry:
    return Telemetry(batches=list(batches))


@pytest.fixture
def store(connection: Connection, clock: FakeClock) -> TelemetryStore:
    return TelemetryStore(connection, clock, IdMaker(clock), NameCaps())


def reopen(connection: Connection, clock: FakeClock) -> TelemetryStore:
    return TelemetryStore(connection, clock, IdMaker(clock), NameCaps())


@contextmanager
def undone(connection: Connection, store: TelemetryStore) -> Iterator[None]:
    """A group of writes whose commit fails, as the writer undoes it."""
    connection.execute("BEGIN")
    yield
    connection.execute("ROLLBACK")
    store.forget()


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(f"select count(*) from {table}").fetchone()[0])


def counted(connection: Connection, endpoint_id: int = 0, resolution: int = 1) -> int:
    """How many calls the stored rollups of a width have counted."""
    row = connection.execute(
        "select coalesce(sum(count), 0) from rollups where endpoint_id = ? and resolution = ?",
        (endpoint_id, resolution),
    ).fetchone()
    return int(row[0])


def test_a_batch_becomes_rows(connection: Connection, store: TelemetryStore) -> None:
    batch = make_batch(b"one", "GET /a", "GET /b", database_us=30, database_count=2)
    store.record_spans(connection, 1, DEFAULTS, telemetry(batch))
    stored = connection.execute("select * from span_batches").fetchone()
    assert (stored["project_id"], stored["span_count"], stored["format"]) == (1, 2, "protobuf")
    entries = connection.execute("select * from entries order by id").fetchall()
    assert [e["id"] for e in entries] == [stored["id"], stored["id"] + 1]
    assert {e["database_us"] for e in entries} == {30}
    names = connection.execute("select name from endpoints order by id").fetchall()
    assert [n["name"] for n in names] == ["GET /a", "GET /b"]
    release = connection.execute("select * from releases").fetchone()
    assert (release["version"], release["revision"], release["id"]) == ("v1", "aaaaaaa1", 1)


def test_a_flush_counts_at_every_width(connection: Connection, store: TelemetryStore) -> None:
    for number in range(3):
        batch = make_batch(b"%d" % number, "GET /a", "GET /b", at=START + number * MINUTE)
        store.record_spans(connection, 1, DEFAULTS, telemetry(batch))
        store.flush(connection)
    for resolution in (1, 10, 60):
        assert counted(connection, 0, resolution) == 6
        assert counted(connection, 1, resolution) == 3
    assert count(connection, "rollups") >= 3 * 3 + 3 + 3


def test_a_retried_body_counts_once(
    connection: Connection, store: TelemetryStore, clock: FakeClock
) -> None:
    for _ in range(2):
        store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    # another project's body is its own
    store.record_spans(connection, 2, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    assert count(connection, "span_batches") == 2
    again = reopen(connection, clock)
    again.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    assert count(connection, "span_batches") == 2


def test_calls_together_become_the_same_rows_as_one_by_one(
    connection: Connection, store: TelemetryStore
) -> None:
    calls = [
        telemetry(make_batch(b"one", "GET /a", "GET /b", database_us=30, database_count=2)),
        telemetry(make_batch(b"two", "GET /b"), make_batch(b"three", "GET /c")),
        telemetry(make_batch(b"one", "GET /a", "GET /b")),
    ]
    done = store.record_spans_together(connection, [(2, DEFAULTS, call) for call in calls])
    assert done == [1, 2, 0]
    assert [store.record_spans(connection, 1, DEFAULTS, call) for call in calls] == [1, 2, 0]
    for table, columns in (
        ("entries", "endpoint_id, release_id, started_at, duration_us, database_us"),
        ("span_batches", "span_count, format, digest, defaults, body"),
        ("span_batch_traces", "tails"),
    ):
        order = "batch_id" if table == "span_batch_traces" else "id"
        rows = [
            connection.execute(
                f"select {columns} from {table} where project_id = ? order by {order}", (project,)
            ).fetchall()
            for project in (1, 2)
        ]
        assert [tuple(row) for row in rows[0]] == [tuple(row) for row in rows[1]]
    assert count(connection, "entries") == 8
    store.flush(connection)
    assert counted(connection) == 8


def test_calls_together_leave_alone_what_is_too_much_or_of_no_project(
    connection: Connection, store: TelemetryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miniapm.storage.telemetry.MOST_TOGETHER_BYTES", 40)
    calls = [
        (project_id, DEFAULTS, telemetry(make_batch(body, "GET /a")))
        for project_id, body in ((1, b"one"), (77, b"two"), (1, b"three"), (1, b"4"))
    ]
    assert store.record_spans_together(connection, calls) == [1, None, 1, None]
    assert count(connection, "span_batches") == 2


def test_an_old_body_is_forgotten(
    connection: Connection, store: TelemetryStore, clock: FakeClock
) -> None:
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    clock.move(REMEMBER_BODIES + MINUTE)
    store.flush(connection)
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    assert count(connection, "span_batches") == 2


def test_bodies_are_remembered_up_to_a_number(
    connection: Connection, store: TelemetryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miniapm.domain.spans.recent_bodies.MOST_REMEMBERED", 2)
    for body in (b"one", b"two", b"three", b"three", b"one"):
        store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(body, "GET /a")))
    assert count(connection, "span_batches") == 4


def test_what_was_not_flushed_is_counted_after_a_crash(
    connection: Connection, store: TelemetryStore, clock: FakeClock
) -> None:
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    store.flush(connection)
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"two", "GET /a", "GET /b")))
    again = reopen(connection, clock)
    again.flush(connection)
    assert counted(connection) == 3
    again.flush(connection)
    assert counted(connection) == 3


def test_a_group_that_failed_leaves_nothing_in_memory(
    connection: Connection, store: TelemetryStore
) -> None:
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    with undone(connection, store):
        store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"two", "GET /b")))
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"two", "GET /b")))
    store.flush(connection)
    assert count(connection, "span_batches") == 2
    assert counted(connection) == 2
    ids = connection.execute("select distinct endpoint_id from entries").fetchall()
    known = connection.execute("select id from endpoints").fetchall()
    assert {row[0] for row in ids} == {row[0] for row in known}


def test_a_flush_that_failed_is_done_again(connection: Connection, store: TelemetryStore) -> None:
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    with undone(connection, store):
        store.flush(connection)
    assert counted(connection) == 0
    store.flush(connection)
    assert counted(connection) == 1


def test_a_write_that_failed_is_read_back(connection: Connection, store: TelemetryStore) -> None:
    connection.execute(
        "create temp trigger no_entries before insert on entries "
        "when new.duration_us = 1000 begin select raise(abort, 'no'); end"
    )
    connection.execute("SAVEPOINT submission")
    with pytest.raises(sqlite3.IntegrityError):
        store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    connection.execute("ROLLBACK TO submission")
    connection.execute("RELEASE submission")
    connection.execute("drop trigger no_entries")
    store.record_spans(connection, 1, DEFAULTS, telemetry(make_batch(b"one", "GET /a")))
    store.flush(connection)
    assert (count(connection, "entries"), counted(connection)) == (1, 1)


def test_names_past_a_cap_are_kept_as_other(connection: Connection, clock: FakeClock) -> None:
    ids = NameIds(NameCaps(services=2, releases=2, endpoints=3), clock)
    for number in range(6):
        ids.endpoint(connection, 1, "shop", f"GET /{number}", START)
    names = [r[0] for r in connection.execute("select name from endpoints order by id")]
    assert names == ["GET /0", "GET /1", "GET /2", OTHER]
    for number in range(4):
        ids.release(connection, 1, RELEASE._replace(version=f"v{number}"), START)
        ids.release(connection, 1, RELEASE._replace(service=f"s{number}"), START)
    services = {r[0] for r in connection.execute("select distinct service from releases")}
    assert services == {"shop", "s0", OTHER}
    versions = connection.execute("select version from releases where service = 'shop'")
    assert {row[0] for row in versions} == {"v0", "v1", OTHER}


def test_versions_of_long_ago_leave_room(connection: Connection, clock: FakeClock) -> None:
    ids = NameIds(NameCaps(releases=2), clock)
    for number in range(5):
        ids.release(connection, 1, RELEASE._replace(version=f"v{number}"), clock())
        clock.move(RECENT // 2 + MINUTE)
    versions = connection.execute("select version from releases order by id")
    assert [row[0] for row in versions] == [f"v{number}" for number in range(5)]


def test_a_very_large_batch_does_not_run_into_the_next(clock: FakeClock) -> None:
    ids = BatchIds(clock, 0)
    first, second = ids.take(600_000), ids.take(1)
    assert second >= first + 600_000


def test_calls_of_an_earlier_batch_count_for_their_entry(
    connection: Connection, store: TelemetryStore
) -> None:
    calls = EarlyCalls("shop", bytes([1]) * 16, 5_000, 7, 0, 0)
    early = build_batch(
        "protobuf",
        b"early",
        trace_ids=[calls.trace_id],
        starts=[START * 1000],
        entries=[],
        occurrences=[],
        early_calls=[calls],
    )
    entry = make_batch(b"late", "GET /a")
    with undone(connection, store):
        store.record_spans(connection, 1, DEFAULTS, telemetry(early))
    # what was rolled back comes again
    store.record_spans(connection, 1, DEFAULTS, telemetry(early))
    store.record_spans(connection, 1, DEFAULTS, telemetry(entry))
    row = connection.execute("select database_us, database_count from entries").fetchone()
    assert tuple(row) == (5_000, 7)
    store.flush(connection)
    summed = connection.execute("select database_us from rollups where resolution = 60").fetchall()
    assert {r[0] for r in summed} == {5_000}
