"""Damage within stored bodies is found by a sample that stays small."""

import pytest

from miniapm.clock import MINUTE
from miniapm.domain.doctor import Finding
from miniapm.domain.spans.compression import train_dictionary
from miniapm.storage.connection import Connection
from miniapm.storage.doctor.bodies import EACH_WAY, examine_bodies
from miniapm.storage.spans.dictionaries import delete_dictionaries, find_replaced, insert_dictionary
from tests.conftest import FakeClock
from tests.factories import START
from tests.spans import Recorder, write_protobuf
from tests.storage.spans.bodies import find_bodies, find_rows, make_spans, pack_all


@pytest.fixture
def recorder(connection: Connection, clock: FakeClock) -> Recorder:
    return Recorder(connection, clock)


def send(recorder: Recorder, batches: int, project_id: int = 1) -> None:
    for number in range(batches):
        recorder.record(make_spans(number), project_id)
        recorder.clock.move(MINUTE)


def damage(connection: Connection, *places: int) -> list[int]:
    """Cuts the bodies that stand there, by arrival; gives the ids of their batches."""
    ids = [row["id"] for row in find_rows(connection)]
    damaged = [ids[place] for place in places]
    connection.executemany(
        "update span_batches set body = substr(body, 1, length(body) - 9) where id = :id",
        [(batch_id,) for batch_id in damaged],
    )
    return damaged


def find_one(connection: Connection) -> Finding:
    [found] = examine_bodies(connection)
    return found


def test_there_is_nothing_to_say_where_nothing_came(
    connection: Connection, recorder: Recorder
) -> None:
    assert examine_bodies(connection) == []
    send(recorder, 3)
    # what has no spans has no body
    connection.execute("update span_batches set format = 'requests', body = x''")
    assert examine_bodies(connection) == []


def test_all_can_be_read(connection: Connection, recorder: Recorder) -> None:
    send(recorder, 2)
    pack_all(connection)
    send(recorder, 1, project_id=2)
    found = find_one(connection)
    assert (found.mark, found.about) == ("ok", "spans")
    assert found.sentence == "Batches of spans that were looked at: 3. All of them can be read."


def test_one_is_damaged(connection: Connection, recorder: Recorder) -> None:
    send(recorder, 5)
    pack_all(connection)
    [batch_id] = damage(connection, 3)
    found = find_one(connection)
    assert (found.mark, found.about) == ("problem", "spans")
    assert found.sentence == (
        "1 of 5 batches of spans that were looked at cannot be read, "
        f"since 2025-10-09T08:56:20Z: {batch_id}."
    )
    assert "retention.spans" in found.advice


def test_the_first_three_of_many_are_named(connection: Connection, recorder: Recorder) -> None:
    send(recorder, 8)
    ids = damage(connection, 6, 1, 2, 4, 5)
    first, second, third, *_ = sorted(ids)
    assert find_one(connection).sentence.startswith("5 of 8 batches ")
    assert find_one(connection).sentence.endswith(f": {first}, {second}, {third} and 2 more.")


def test_the_newest_the_oldest_and_some_between_are_looked_at(
    connection: Connection, recorder: Recorder
) -> None:
    send(recorder, 4 * EACH_WAY)
    for place in (0, EACH_WAY - 1, -1, -EACH_WAY):
        [batch_id] = damage(connection, place)
        assert str(batch_id) in find_one(connection).sentence
        connection.execute("delete from span_batches where id = ?", (batch_id,))
    whole = range(EACH_WAY, 3 * EACH_WAY)
    damage(connection, *whole)
    count, _, looked_at = find_one(connection).sentence.split()[:3]
    assert EACH_WAY // 2 < int(count) <= EACH_WAY
    assert int(looked_at) <= 3 * EACH_WAY


def test_it_stops_at_some_bytes_and_at_some_time(
    connection: Connection, recorder: Recorder
) -> None:
    send(recorder, 10)
    [found] = examine_bodies(connection, most_bytes=1)
    assert "looked at: 1." in found.sentence
    seconds = iter(range(100))
    [found] = examine_bodies(connection, timer=lambda: next(seconds))
    assert "looked at: 2." in found.sentence


def test_the_ends_and_what_lies_between_come_in_turn(
    connection: Connection, recorder: Recorder
) -> None:
    send(recorder, 3 * EACH_WAY)
    ids = damage(connection, -1, 0, -2, 1)
    seconds = iter(range(100))
    [found] = examine_bodies(connection, timer=lambda: next(seconds) * 0.4)
    assert found.sentence.startswith("4 of 7 ")
    assert found.sentence.endswith(f"{', '.join(map(str, sorted(ids)[:3]))} and 1 more.")


def test_a_body_without_its_dictionary_cannot_be_read(
    connection: Connection, recorder: Recorder
) -> None:
    first, second = (
        train_dictionary(write_protobuf(make_spans(number)) for number in range(low, low + 100))
        for low in (0, 100)
    )
    assert first is not None
    assert second is not None
    insert_dictionary(connection, 1, first, START)
    send(recorder, 1)
    pack_all(connection)
    assert find_one(connection).mark == "ok"
    insert_dictionary(connection, 1, second, START + 1)
    delete_dictionaries(connection, find_replaced(connection, START + 2))
    assert find_one(connection).mark == "problem"
    assert len(find_bodies(connection)) == 1
