"""The bodies of a trace, found by scanning, and erasing one."""

from collections.abc import Sequence

import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.otlp.stored import find_trace_ids, read_spans
from miniapm.storage.connection import Connection
from miniapm.storage.spans.traces import (
    DeletedTrace,
    delete_trace,
    find_batches,
    find_batches_near,
    find_trace_entries,
    read_bodies,
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


def names_of(connection: Connection, trace_id: str, ids: Sequence[int] | None = None) -> list[str]:
    """The spans of a trace in these batches, or in all, oldest first."""
    wanted = bytes.fromhex(trace_id)
    ids = find_batches(connection, 1, wanted)[::-1] if ids is None else ids
    page = read_bodies(connection, 1, ids, 10**9)
    assert page.batches == len(ids)
    return [span.name for _, stored in page.bodies for span in read_spans(stored, wanted, 100)]


def test_a_trace_is_gathered_from_batches_of_both_encodings(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    recorder.record([SentSpan(FIRST, START, "web"), SentSpan(SECOND, START, "other")])
    clock.move(MINUTE)
    recorder.record([SentSpan(FIRST, START, "call", otlp.CLIENT)], as_json=True)
    recorder.record([SentSpan(FIRST, START, "foreign")], project_id=2)
    recorder.record([SentSpan(THIRD, START, "third")])
    assert names_of(connection, FIRST) == ["web", "call"]
    ids = find_batches(connection, 1, bytes.fromhex(FIRST))
    assert len(ids) == 2
    [(_, stored)] = read_bodies(connection, 1, ids[:1], 1).bodies
    assert find_trace_ids(stored, FIRST[-8:], 10) == [FIRST]
    assert names_of(connection, make_trace_id(99)) == []


def test_a_tail_is_found_where_ids_end_and_nowhere_else(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.record([SentSpan("0102030405060708" * 2, START), SentSpan("0a0b" * 8, START)])
    assert len(find_batches(connection, 1, bytes.fromhex("05060708"))) == 1
    assert find_batches(connection, 1, bytes.fromhex("01020304")) == []
    # the bytes stand in the list of tails, but not as one
    assert find_batches(connection, 1, bytes.fromhex("07080a0b")) == []


@pytest.mark.parametrize("beginning", ["0" * 16, "68ff1234"])
def test_ids_that_begin_alike_are_told_apart(
    connection: Connection, recorder: Recorder, beginning: str
) -> None:
    """64-bit ids are padded with zeros, those of X-Ray begin with the second."""
    ids = [beginning + f"{n * 2654435761 % 2**32:08x}".rjust(32 - len(beginning), "7")
           for n in range(1, 20)]  # fmt: skip
    for trace_id in ids:
        recorder.record([SentSpan(trace_id, START, trace_id)])
    for trace_id in ids:
        assert len(find_batches(connection, 1, bytes.fromhex(trace_id))) == 1
        assert names_of(connection, trace_id) == [trace_id]


def test_what_arrived_near_an_entry_comes_first(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    for name in ("first", "second", "third"):
        recorder.record([SentSpan(FIRST, START, f"{name} {n}") for n in range(3)])
        clock.move(MINUTE)
    clock.move(HOUR)
    recorder.record([SentSpan(FIRST, START, "late")])
    wanted = bytes.fromhex(FIRST)
    late, third, second, first = find_batches(connection, 1, wanted)
    for entry_id in (second, second + 1, second + 2):
        assert find_batches_near(connection, 1, wanted, entry_id)[0] == second
        assert set(find_batches_near(connection, 1, wanted, entry_id)) == {first, second, third}
    assert find_batches_near(connection, 1, wanted, late) == [late]
    # its own batch is looked through whatever its tails are
    assert find_batches_near(connection, 1, b"\x99" * 16, third + 2) == [third]
    assert find_batches_near(connection, 2, wanted, third) == []


def test_bodies_are_read_up_to_a_bound(connection: Connection, recorder: Recorder) -> None:
    for number in range(4):
        recorder.record([SentSpan(FIRST, START + number, f"s{number}")])
    ids = find_batches(connection, 1, bytes.fromhex(FIRST))
    page = read_bodies(connection, 1, ids, 1)
    assert (page.batches, [batch_id for batch_id, _ in page.bodies]) == (1, ids[:1])
    assert page.opened_bytes == len(page.bodies[0][1].open())
    assert read_bodies(connection, 1, ids, page.opened_bytes * 2).batches == 2
    # a batch that went since its id was read
    page = read_bodies(connection, 1, [ids[0] + 1, *ids], 10**9)
    assert (page.batches, len(page.bodies)) == (5, 4)
    assert read_bodies(connection, 2, ids, 10**9).bodies == []


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


def test_many_traces_of_one_batch_are_erased_one_after_the_other(
    connection: Connection, recorder: Recorder
) -> None:
    ids = [f"{number:032x}" for number in range(1, 41)]
    recorder.record([SentSpan(trace_id, START, "mine") for trace_id in ids])
    erased = [delete_trace(connection, 1, bytes.fromhex(trace_id)) for trace_id in ids[:39]]
    assert erased == [DeletedTrace(1, 1, 1)] * 39
    rows = connection.execute("select hex(trace_id) from entries").fetchall()
    assert [row[0] for row in rows] == [ids[39].upper()]


def test_a_damaged_body_is_erased_with_the_trace_that_may_be_in_it(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.record([SentSpan(FIRST, START, "lost"), SentSpan(FIRST, START, "too")])
    recorder.record([SentSpan(SECOND, START, "kept")])
    damaged = "select min(id) from span_batches"
    connection.execute(f"update span_batches set body = substr(body, 1, 20) where id = ({damaged})")
    assert delete_trace(connection, 1, bytes.fromhex(FIRST)) == DeletedTrace(1, 2, 2)
    assert count_rows(connection, "span_batches") == 1
    assert names_of(connection, SECOND) == ["kept"]


def test_a_retry_does_not_bring_an_erased_trace_back(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    spans = [SentSpan(FIRST, START), SentSpan(SECOND, START)]
    recorder.record(spans)
    delete_trace(connection, 1, bytes.fromhex(FIRST))
    Recorder(connection, clock).record(spans)
    assert names_of(connection, FIRST) == []
    assert names_of(connection, SECOND) == ["GET /"]
