"""The bodies of a trace, found by scanning, and erasing one."""

import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.otlp.stored import find_trace_ids, read_spans
from miniapm.storage.connection import Connection
from miniapm.storage.spans import traces
from miniapm.storage.spans.traces import (
    DeletedTrace,
    delete_trace,
    find_batches,
    find_bodies,
    find_trace_entries,
)
from tests import otlp
from tests.conftest import FakeClock
from tests.factories import START
from tests.spans import Recorder, SentSpan, make_trace_id

FIRST, SECOND, THIRD = (make_trace_id(number) for number in range(3))


@pytest.fixture
def recorder(connection: Connection, clock: FakeClock) -> Recorder:
    return Recorder(connection, clock)


def count_rows(connection: Connection, table: str) -> int:
    return int(connection.execute(f"select count(*) from {table}").fetchone()[0])


def names_of(connection: Connection, trace_id: str, near_id: int | None = None) -> list[str]:
    wanted = bytes.fromhex(trace_id)
    bodies = find_bodies(connection, 1, wanted, near_id).bodies
    return [span.name for stored in bodies for span in read_spans(stored, wanted, 100)]


def test_a_trace_is_gathered_from_batches_of_both_encodings(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    recorder.record([SentSpan(FIRST, START, "web"), SentSpan(SECOND, START, "other")])
    clock.move(MINUTE)
    recorder.record([SentSpan(FIRST, START, "call", otlp.CLIENT)], as_json=True)
    recorder.record([SentSpan(FIRST, START, "foreign")], project_id=2)
    recorder.record([SentSpan(THIRD, START, "third")])
    assert names_of(connection, FIRST) == ["web", "call"]
    found = find_bodies(connection, 1, bytes.fromhex(FIRST))
    assert (len(found.ids), found.is_all) == (2, True)
    assert find_trace_ids(found.bodies[0], FIRST[:8], 10) == [FIRST]
    assert names_of(connection, make_trace_id(99)) == []
    assert find_bodies(connection, 1, b"\x99" * 16).is_all


def test_a_prefix_is_found_where_ids_begin_and_nowhere_else(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.record([SentSpan("0102030405060708" * 2, START), SentSpan("0506" * 8, START)])
    assert len(find_batches(connection, 1, bytes.fromhex("01020304"))) == 1
    # the bytes stand in the list of prefixes, but not as one
    assert find_batches(connection, 1, bytes.fromhex("03040506")) == []


def test_a_hint_narrows_the_search(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    recorder.record([SentSpan(FIRST, START, "early")])
    clock.move(HOUR)
    recorder.record([SentSpan(FIRST, START, "late")])
    early, late = find_batches(connection, 1, bytes.fromhex(FIRST))
    assert names_of(connection, FIRST, late) == ["late"]
    assert names_of(connection, FIRST, early) == ["early"]
    assert not find_bodies(connection, 1, bytes.fromhex(FIRST), late).is_all
    # a hint that leads nowhere is no hint
    assert names_of(connection, FIRST, late + (late - early) * 5) == ["early", "late"]


def test_what_is_read_of_a_trace_is_bounded(
    connection: Connection, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        recorder.record([SentSpan(FIRST, START + number, f"s{number}")])
    monkeypatch.setattr(traces, "MOST_BODIES", 3)
    found = find_bodies(connection, 1, bytes.fromhex(FIRST))
    assert (len(found.ids), len(found.bodies), found.is_all) == (4, 3, False)
    monkeypatch.setattr(traces, "MOST_BYTES", 1)
    assert len(find_bodies(connection, 1, bytes.fromhex(FIRST)).bodies) == 1


def test_the_entries_of_a_trace(connection: Connection, recorder: Recorder) -> None:
    recorder.record([SentSpan(FIRST, START + 5, "b"), SentSpan(SECOND, START)])
    recorder.record([SentSpan(FIRST, START, "a"), SentSpan(FIRST, START, "c", otlp.CLIENT)])
    wanted = bytes.fromhex(FIRST)
    ids = find_batches(connection, 1, wanted)
    found = find_trace_entries(connection, 1, wanted, ids)
    assert [entry.started_at for entry in found] == [START, START + 5]
    assert find_trace_entries(connection, 2, wanted, ids) == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_trace_is_erased_and_all_else_stays(
    connection: Connection, recorder: Recorder, as_json: bool
) -> None:
    spans = [
        SentSpan(FIRST, START, "mine", attributes={"user": "ada"}),
        SentSpan(SECOND, START, "kept"),
        SentSpan(FIRST, START, "call", otlp.CLIENT),
    ]
    recorder.record(spans, as_json=as_json)
    recorder.record([SentSpan(FIRST, START + 1, "alone")], as_json=as_json)
    recorder.record([SentSpan(FIRST, START, "foreign")], project_id=2)
    recorder.flush()
    rollups = count_rows(connection, "rollups")
    assert delete_trace(connection, 1, bytes.fromhex(FIRST)) == DeletedTrace(2, 3, 2)
    assert names_of(connection, FIRST) == []
    assert names_of(connection, SECOND) == ["kept"]
    assert find_batches(connection, 1, bytes.fromhex(FIRST)) == []
    assert len(find_batches(connection, 2, bytes.fromhex(FIRST))) == 1
    rows = connection.execute("select project_id, span_count from span_batches order by project_id")
    assert [tuple(row) for row in rows] == [(1, 1), (2, 1)]
    assert count_rows(connection, "span_batch_traces") == 2
    assert count_rows(connection, "entries") == 2
    assert count_rows(connection, "rollups") == rollups
    assert delete_trace(connection, 1, bytes.fromhex(FIRST)) == DeletedTrace(0, 0, 0)


def test_a_retry_does_not_bring_an_erased_trace_back(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    spans = [SentSpan(FIRST, START), SentSpan(SECOND, START)]
    recorder.record(spans)
    delete_trace(connection, 1, bytes.fromhex(FIRST))
    Recorder(connection, clock).record(spans)
    assert names_of(connection, FIRST) == []
    assert names_of(connection, SECOND) == ["GET /"]
