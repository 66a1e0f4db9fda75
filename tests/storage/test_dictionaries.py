"""Dictionaries: bodies are smaller with one, and are read back whatever they were written with."""

import msgspec
import pytest

from miniapm.domain.ids import IdMaker
from miniapm.domain.spans.compression import (
    Dictionary,
    compress_plain,
    decompress,
    dictionary_of,
    size_of,
    train_dictionary,
)
from miniapm.domain.spans.values import Telemetry, TelemetryDefaults
from miniapm.storage.connection import Connection
from miniapm.storage.spans.dictionaries import RENEW_AFTER, Bodies, find_samples, find_untrained
from miniapm.storage.spans.names import NameCaps
from miniapm.storage.telemetry import TelemetryStore
from tests.conftest import FakeClock
from tests.storage.test_telemetry import DEFAULTS, make_batch


def make_body(number: int) -> bytes:
    spans = [
        {
            "traceId": f"{number * 7919 + place:032x}",
            "name": f"GET /products/{(number + place) % 17}",
            "attributes": [
                {"key": "http.request.method", "value": {"stringValue": "GET"}},
                {"key": "server.address", "value": {"stringValue": "shop.example"}},
                {"key": "thread.id", "value": {"intValue": number * 31 % 97}},
            ],
        }
        for place in range(20)
    ]
    return msgspec.json.encode({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    made = train_dictionary(make_body(number) for number in range(300))
    assert made is not None
    return made


def test_small_and_large_bodies_come_back_one_after_the_other(dictionary: Dictionary) -> None:
    """One compressor serves many bodies: nothing of one is left in the next."""
    bodies = [make_body(1), b"", make_body(2) * 40, make_body(3), b"x", make_body(4) * 40]
    for body in bodies:
        plain, small = compress_plain(body), dictionary.compress(body)
        assert decompress(plain) == body
        assert decompress(small, dictionary) == body
        assert size_of(plain) == size_of(small) == len(body)
        assert (dictionary_of(plain), dictionary_of(small)) == (0, dictionary.id)


@pytest.fixture
def store(connection: Connection, clock: FakeClock) -> TelemetryStore:
    return TelemetryStore(connection, clock, IdMaker(clock), NameCaps())


def take(store: TelemetryStore, connection: Connection, number: int) -> None:
    body = make_body(number)
    compressed = store.find_compress(1)(body)
    batch = msgspec.structs.replace(make_batch(body, "GET /a"), body=compressed)
    store.record_spans(connection, 1, DEFAULTS, Telemetry(batches=[batch]))


def learn(store: TelemetryStore, connection: Connection, dictionary: Dictionary) -> None:
    store.add_dictionary(connection, 1, dictionary)
    store.use_dictionary(1, dictionary)


def frames(connection: Connection) -> list[bytes]:
    rows = connection.execute("select body from span_batches order by id")
    return [row["body"] for row in rows]


def test_small_bodies_are_much_smaller_with_one(dictionary: Dictionary) -> None:
    body = make_body(999)
    frame = dictionary.compress(body)
    assert len(frame) < len(compress_plain(body)) / 1.5
    assert (dictionary_of(frame), dictionary_of(compress_plain(body))) == (dictionary.id, 0)
    assert decompress(frame, Dictionary(dictionary.content)) == body


def test_too_few_bodies_make_none() -> None:
    assert train_dictionary([b"{}"] * 5) is None
    assert train_dictionary([b""] * 500) is None


def test_new_bodies_use_it_and_old_ones_are_still_read(
    connection: Connection, store: TelemetryStore, dictionary: Dictionary
) -> None:
    take(store, connection, 1)
    learn(store, connection, dictionary)
    take(store, connection, 3)
    take(store, connection, 2)
    first, _, second = frames(connection)
    assert (dictionary_of(first), dictionary_of(second)) == (0, dictionary.id)
    bodies = Bodies(connection, 1)
    rows = connection.execute("select format, defaults, body from span_batches order by id")
    stored = [bodies.stored(row) for row in rows]
    assert [s.open() for s in stored] == [make_body(1), make_body(3), make_body(2)]
    assert stored[0].defaults == TelemetryDefaults("shop", "production")


def test_a_restart_goes_on_with_it(
    connection: Connection, store: TelemetryStore, dictionary: Dictionary, clock: FakeClock
) -> None:
    learn(store, connection, dictionary)
    again = TelemetryStore(connection, clock, IdMaker(clock), NameCaps())
    for number in range(3):
        take(again, connection, number)
    # the first one after the start makes it look
    used = [dictionary_of(frame) for frame in frames(connection)]
    assert used == [0, dictionary.id, dictionary.id]


def test_a_retry_is_recognised_whatever_it_is_compressed_with(
    connection: Connection, store: TelemetryStore, dictionary: Dictionary
) -> None:
    take(store, connection, 1)
    learn(store, connection, dictionary)
    take(store, connection, 2)
    take(store, connection, 1)
    assert len(frames(connection)) == 2


def test_one_is_due_once_there_are_samples_and_again_after_a_month(
    connection: Connection, store: TelemetryStore, dictionary: Dictionary, clock: FakeClock
) -> None:
    assert find_untrained(connection, clock()) == []
    take(store, connection, 0)
    assert find_untrained(connection, clock()) == [1]
    assert find_samples(connection, 1, 0) == []
    for number in range(1, 30):
        take(store, connection, number)
    assert [s.body for s in find_samples(connection, 1, 0)[:2]] == [make_body(29), make_body(28)]
    learn(store, connection, dictionary)
    assert find_untrained(connection, clock()) == []
    clock.move(RENEW_AFTER)
    assert find_untrained(connection, clock()) == [1]


def test_one_is_not_used_before_it_is_on_disk(
    connection: Connection, store: TelemetryStore, dictionary: Dictionary, clock: FakeClock
) -> None:
    take(store, connection, 1)
    store.add_dictionary(connection, 1, dictionary)
    take(store, connection, 2)
    # nor by a project whose dictionary has to be looked for meanwhile
    again = TelemetryStore(connection, clock, IdMaker(clock), NameCaps())
    again.add_dictionary(connection, 1, dictionary)
    take(again, connection, 3)
    take(again, connection, 4)
    assert {dictionary_of(frame) for frame in frames(connection)} == {0}
    again.use_dictionary(1, dictionary)
    take(again, connection, 5)
    assert dictionary_of(frames(connection)[-1]) == dictionary.id


def test_a_body_that_does_not_open_is_no_sample(
    connection: Connection, store: TelemetryStore
) -> None:
    for number in range(25):
        take(store, connection, number)
    bad = "select max(id) from span_batches"
    connection.execute(f"update span_batches set body = x'00ff' where id = ({bad})")
    assert [s.body for s in find_samples(connection, 1, 0)[:1]] == [make_body(23)]
    assert len(find_samples(connection, 1, 0)) == 24
