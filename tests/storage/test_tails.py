"""The batches of a trace are found in what is remembered as they are by looking at all."""

import pytest

from miniapm.clock import DAY, HOUR
from miniapm.storage.connection import Connection
from miniapm.storage.memory import Memory
from miniapm.storage.spans import tails
from miniapm.storage.spans.tails import find_all_batches
from miniapm.storage.spans.traces import delete_trace, find_batches
from tests.conftest import FakeClock
from tests.factories import START
from tests.spans import Recorder, SentSpan, make_trace_id

FIRST, SECOND = (bytes.fromhex(make_trace_id(number)) for number in range(2))


@pytest.fixture
def recorder(connection: Connection, clock: FakeClock) -> Recorder:
    """Has recorded a batch every half an hour for ten hours, every third with the first trace."""
    connection.memory = Memory(1 << 24)
    made = Recorder(connection, clock)
    for number in range(20):
        trace_id = SECOND if number % 3 else FIRST
        made.record([SentSpan(trace_id.hex(), START + number, "web")])
        made.record([SentSpan(FIRST.hex(), START + number, "foreign")], project_id=2)
        clock.move(HOUR // 2)
    return made


def test_all_that_is_stored_is_found_the_newest_first(
    connection: Connection, recorder: Recorder
) -> None:
    assert len(find_batches(connection, 1, FIRST)) == 7
    for _ in range(2):
        for project_id, trace_id in ((1, FIRST), (1, SECOND), (2, FIRST), (2, SECOND)):
            told = connection, project_id, trace_id
            assert find_all_batches(*told) == find_batches(*told)
    # the end of one and the beginning of the next
    assert find_all_batches(connection, 1, FIRST[-3:] + SECOND[-4:-3]) == []


def test_what_comes_and_what_goes_is_noticed(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    assert len(find_all_batches(connection, 1, FIRST)) == 7
    recorder.record([SentSpan(FIRST.hex(), START, "late")])
    assert len(find_all_batches(connection, 1, FIRST)) == 8
    clock.move(3 * HOUR)
    recorder.record([SentSpan(SECOND.hex(), START, "later")])
    assert len(find_all_batches(connection, 1, FIRST)) == 8
    delete_trace(connection, 1, FIRST)
    assert find_all_batches(connection, 1, FIRST) == []
    assert len(find_all_batches(connection, 2, FIRST)) == 20


def test_older_blocks_are_read_where_they_are_when_there_is_no_room(
    connection: Connection, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "MOST_BYTES", 50)
    assert find_all_batches(connection, 1, SECOND) == find_batches(connection, 1, SECOND)


def test_years_without_a_batch_are_passed_over(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    clock.move(3650 * DAY)
    sent = SentSpan(FIRST.hex(), clock(), "after a clock that was wrong")
    recorder.record([sent])
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    found = find_all_batches(connection, 1, FIRST)
    connection.set_trace_callback(None)
    assert found == find_batches(connection, 1, FIRST)
    assert len(found) == 8
    assert len(statements) < 50


def test_an_empty_database_has_none(connection: Connection) -> None:
    assert find_all_batches(connection, 1, FIRST) == []
