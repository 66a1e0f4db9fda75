"""Stored bodies are packed and say the same afterwards; whatever happens, none is lost."""

import sqlite3
from pathlib import Path
from random import Random

import msgspec
import pytest

from miniapm.domain.otlp.packing import is_packed
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.otlp.stored import MOST_PACKED_BYTES
from miniapm.domain.spans.compression import (
    Dictionary,
    compress_plain,
    decompress,
    dictionary_of,
    train_dictionary,
)
from miniapm.domain.spans.values import Telemetry
from miniapm.storage.connection import Connection, scalar, transaction
from miniapm.storage.erasure import erase_trace, find_user_traces
from miniapm.storage.progress import PACKING, find_progress
from miniapm.storage.spans.dictionaries import find_samples, insert_dictionary
from miniapm.storage.spans.packing import (
    SLICE_BATCHES,
    find_due,
    pack_body,
    replace_bodies,
)
from miniapm.storage.spans.traces import DeletedTrace, delete_trace
from tests.conftest import FakeClock
from tests.factories import START
from tests.spans import DEFAULTS, Recorder, SentSpan, make_trace_id, write_protobuf
from tests.storage.spans.bodies import (
    find_bodies,
    find_packed,
    find_rows,
    make_spans,
    pack_all,
    read_trace,
)
from tests.storage.test_telemetry import make_batch

MB = 1024 * 1024


@pytest.fixture
def recorder(connection: Connection, clock: FakeClock) -> Recorder:
    return Recorder(connection, clock)


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    made = train_dictionary(write_protobuf(make_spans(number)) for number in range(200))
    assert made is not None
    return made


def store_body(recorder: Recorder, frame: bytes) -> None:
    """A batch whose stored body is this."""
    batch = msgspec.structs.replace(make_batch(frame, "GET /"), body=frame)
    with transaction(recorder.connection):
        recorder.store.record_spans(recorder.connection, 1, DEFAULTS, Telemetry(batches=[batch]))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_trace_reads_the_same_from_less(
    connection: Connection, recorder: Recorder, as_json: bool
) -> None:
    recorder.record(make_spans(0, traces=40), as_json=as_json)
    recorder.record(make_spans(1, traces=40), project_id=2, as_json=as_json)
    [before], [whole] = find_rows(connection), find_rows(connection, 2)
    traces = [make_trace_id(number) for number in range(40)]
    spans = [read_trace(connection, trace_id) for trace_id in traces]
    assert [len(found) for found in spans] == [3] * 40
    assert pack_all(connection) == 2
    [after] = find_rows(connection)
    assert [read_trace(connection, trace_id) for trace_id in traces] == spans
    assert find_packed(connection) == [not as_json]
    assert len(after["body"]) < 0.95 * len(before["body"])
    assert after | {"body": b""} == before | {"body": b""}
    assert find_rows(connection, 2)[0] | {"body": b""} == whole | {"body": b""}


def test_a_body_is_compressed_with_its_project_s_dictionary(
    connection: Connection, recorder: Recorder, dictionary: Dictionary
) -> None:
    recorder.record(make_spans(0))
    recorder.record(make_spans(0), project_id=2)
    insert_dictionary(connection, 1, dictionary, START)
    assert pack_all(connection) == 2
    [body], [other] = find_bodies(connection), find_bodies(connection, 2)
    assert [dictionary_of(body), dictionary_of(other)] == [dictionary.id, 0]
    assert len(body) < len(other)
    assert [span.name for span in read_trace(connection, make_trace_id(3))] == ["0 0", "0 1", "0 2"]


def test_dictionaries_are_made_of_bodies_as_they_came(
    connection: Connection, recorder: Recorder
) -> None:
    for number in range(20):
        recorder.record(make_spans(number))
    before = [sample.body for sample in find_samples(connection, 1, 0)]
    pack_all(connection)
    after = [sample.body for sample in find_samples(connection, 1, 0)]
    assert len(after) == 20
    assert not any(map(is_packed, after))
    read = load_schema().TracesRequest.FromString
    assert list(map(read, after)) == list(map(read, before))


def test_a_trace_is_erased_from_a_packed_body_and_all_else_stays(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.record(make_spans(0))
    pack_all(connection)
    kept = read_trace(connection, make_trace_id(1))
    wanted = bytes.fromhex(make_trace_id(0))
    assert delete_trace(connection, 1, wanted) == DeletedTrace(1, 3, 1)
    assert read_trace(connection, make_trace_id(0)) == []
    assert read_trace(connection, make_trace_id(1)) == kept
    assert delete_trace(connection, 1, wanted) == DeletedTrace(0, 0, 0)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_left_of_an_erased_body_is_packed_again(
    connection: Connection, recorder: Recorder, dictionary: Dictionary, as_json: bool
) -> None:
    insert_dictionary(connection, 1, dictionary, START)
    recorder.record(make_spans(0, traces=40), as_json=as_json)
    pack_all(connection)
    [before] = find_bodies(connection)
    for number in range(0, 40, 10):
        erase_trace(connection, 1, make_trace_id(number))
    assert find_due(connection) is None
    [after] = find_bodies(connection)
    assert find_packed(connection) == [not as_json]
    assert dictionary_of(after) == dictionary.id
    assert len(after) < len(before)
    assert [len(read_trace(connection, make_trace_id(n))) for n in range(9, 12)] == [3, 0, 3]


def test_what_is_left_needs_no_other_dictionary_than_before(
    connection: Connection, recorder: Recorder, dictionary: Dictionary
) -> None:
    """One that retention found needless must not be needed again."""
    recorder.record(make_spans(0))
    pack_all(connection)
    insert_dictionary(connection, 1, dictionary, START)
    erase_trace(connection, 1, make_trace_id(0))
    assert list(map(dictionary_of, find_bodies(connection))) == [0]
    assert find_packed(connection) == [True]


def test_what_is_left_of_a_very_large_body_is_not_packed(
    connection: Connection, recorder: Recorder
) -> None:
    large = {"text": "x" * (MOST_PACKED_BYTES // 10)}
    kept = [SentSpan(make_trace_id(n), START, attributes=large) for n in range(1, 21)]
    recorder.record(make_spans(0, traces=1))
    body = write_protobuf([*make_spans(0, traces=1), *kept])
    connection.execute("update span_batches set body = ?", (compress_plain(body),))
    erase_trace(connection, 1, make_trace_id(0))
    assert find_packed(connection) == [False]
    assert read_trace(connection, make_trace_id(0)) == []
    assert len(decompress(find_bodies(connection)[0])) > MOST_PACKED_BYTES
    assert len(read_trace(connection, make_trace_id(20))) == 1


def test_a_person_is_found_in_a_packed_body(connection: Connection, recorder: Recorder) -> None:
    named = [
        SentSpan(make_trace_id(n), START, attributes={"user.id": f"u{n % 5}"}) for n in range(20)
    ]
    recorder.record(named)
    pack_all(connection)
    assert find_packed(connection) == [True]
    [page] = find_user_traces(connection, 1, "u3")
    assert page.trace_ids == {make_trace_id(n) for n in (3, 8, 13, 18)}


def test_what_is_erased_stands_nowhere_in_the_file(
    connection: Connection, recorder: Recorder, tmp_path: Path
) -> None:
    """The pages that packing makes free held the body as it came, which nobody erases later."""
    connection.execute("PRAGMA secure_delete = OFF").fetchone()
    # packed, next to nothing is left of it: all is in the dictionary
    noise = Random(1)  # noqa: S311
    names = [noise.randbytes(150).hex() for _ in range(100)]
    spans = [SentSpan(make_trace_id(0), START, name) for name in names]
    dictionary = train_dictionary([write_protobuf(spans)] * 100)
    assert dictionary is not None
    recorder.record(spans)
    insert_dictionary(connection, 1, dictionary, START)
    [frame] = find_bodies(connection)
    pieces = [frame[at : at + 64] for at in range(0, len(frame) - 64, 256)]
    assert any(piece in read_file(connection, tmp_path) for piece in pieces)
    assert pack_all(connection) == 1
    erase_trace(connection, 1, make_trace_id(0))
    assert find_bodies(connection) == []
    whole = read_file(connection, tmp_path)
    assert [at for at, piece in enumerate(pieces) if piece in whole] == []


def read_file(connection: Connection, directory: Path) -> bytes:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return (directory / "miniapm.db").read_bytes()


def test_the_free_pages_are_overwritten_while_packing_alone(
    connection: Connection, recorder: Recorder
) -> None:
    for before in (0, 1):
        connection.execute(f"PRAGMA secure_delete = {before}").fetchone()
        recorder.record(make_spans(before))
        assert pack_all(connection) == 1
        assert scalar(connection, "PRAGMA secure_delete") == before


def test_the_mark_moves_on_and_nothing_is_done_twice(
    connection: Connection, recorder: Recorder
) -> None:
    assert find_due(connection) is None
    recorder.record(make_spans(0))
    assert pack_all(connection) == 1
    [first] = find_rows(connection)
    assert find_progress(connection, PACKING) == first["id"]
    assert find_progress(connection) == 0
    assert find_due(connection) is None
    recorder.record(make_spans(1))
    due = find_due(connection)
    assert due is not None
    [_, second] = find_rows(connection)
    assert [body.batch_id for body in due.bodies] == [second["id"]]
    assert pack_all(connection) == 1
    assert find_rows(connection)[0] == first


def test_a_slice_is_some_batches_or_some_megabytes(
    connection: Connection, recorder: Recorder
) -> None:
    for number in range(SLICE_BATCHES + 3):
        recorder.record(make_spans(number))
    due = find_due(connection)
    assert due is not None
    ids = [row["id"] for row in find_rows(connection)]
    assert [body.batch_id for body in due.bodies] == ids[:SLICE_BATCHES]
    assert due.reached == ids[SLICE_BATCHES - 1]
    pack_all(connection)
    noise = Random(1)  # noqa: S311
    for _ in range(5):
        store_body(recorder, compress_plain(noise.randbytes(10) * (3 * MB // 20)))
    ids = [row["id"] for row in find_rows(connection)][-5:]
    due = find_due(connection)
    assert due is not None
    assert ([body.batch_id for body in due.bodies], due.reached) == (ids[:3], ids[2])


def test_what_has_no_body_is_passed_over(connection: Connection, recorder: Recorder) -> None:
    recorder.record(make_spans(0))
    for number in range(1, 4):
        recorder.record(make_spans(number))
    ids = [row["id"] for row in find_rows(connection)]
    connection.execute(
        "update span_batches set format = 'requests', body = x'' where id > ?", (ids[0],)
    )
    due = find_due(connection)
    assert due is not None
    assert ([body.batch_id for body in due.bodies], due.reached) == (ids[:1], ids[-1])
    assert pack_all(connection) == 1
    assert find_progress(connection, PACKING) == ids[-1]
    assert find_packed(connection) == [True, False, False, False]
    assert find_bodies(connection)[1:] == [b""] * 3


def test_a_body_that_cannot_be_read_is_left_as_it_is(
    connection: Connection, recorder: Recorder, dictionary: Dictionary
) -> None:
    frames = [
        b"no frame",
        compress_plain(b"\xff\xff no request")[:-4],
        # the dictionary that it needs is none of this project's
        dictionary.compress(write_protobuf(make_spans(0))),
        # so large that it would take long
        compress_plain(" ".join(map(str, range(1_300_000))).encode()),
    ]
    for frame in frames:
        store_body(recorder, frame)
    recorder.record(make_spans(1))
    assert pack_all(connection) == 1
    assert find_bodies(connection)[:-1] == frames
    assert find_due(connection) is None
    assert len(read_trace(connection, make_trace_id(8))) == 3


def test_what_is_no_request_is_compressed_better_at_most(
    connection: Connection, recorder: Recorder
) -> None:
    body = b"\xff no request " + " ".join(map(str, range(9000))).encode()
    store_body(recorder, compress_plain(body))
    pack_all(connection)
    assert find_packed(connection) == [False]


def test_small_gains_are_not_written(connection: Connection, recorder: Recorder) -> None:
    recorder.record(make_spans(0))
    recorder.record([SentSpan(make_trace_id(9), START)])
    [first, _] = find_bodies(connection)
    assert pack_all(connection) == 1
    packed = find_bodies(connection)
    assert len(packed[0]) < len(first)
    connection.execute("delete from rollup_progress where name = ?", (PACKING,))
    assert pack_all(connection) == 0
    assert find_bodies(connection) == packed


def test_what_was_erased_meanwhile_is_not_brought_back(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.record(make_spans(0))
    recorder.record([SentSpan(make_trace_id(0), START + n * n * 31) for n in range(300)])
    recorder.record(make_spans(1))
    due = find_due(connection)
    assert due is not None
    packed = [one for one in map(pack_body, due.bodies) if one is not None]
    assert len(packed) == 3
    delete_trace(connection, 1, bytes.fromhex(make_trace_id(0)))
    rewritten = find_bodies(connection)[0]
    with transaction(connection):
        assert replace_bodies(connection, packed, due.reached) == 1
    assert find_bodies(connection)[0] == rewritten
    assert find_packed(connection) == [True, True]
    assert read_trace(connection, make_trace_id(0)) == []
    assert len(read_trace(connection, make_trace_id(1))) == 3
    assert find_due(connection) is None


def test_what_was_not_committed_is_done_again(connection: Connection, recorder: Recorder) -> None:
    recorder.record(make_spans(0))
    before = find_rows(connection)
    due = find_due(connection)
    assert due is not None
    packed = [one for one in map(pack_body, due.bodies) if one is not None]
    connection.execute("BEGIN")
    replace_bodies(connection, packed, due.reached)
    assert find_due(connection) is None
    connection.execute("ROLLBACK")
    assert find_rows(connection) == before
    assert find_progress(connection, PACKING) == 0
    assert pack_all(connection) == 1


def test_the_setting_of_the_connection_comes_back_after_a_failure(
    connection: Connection, recorder: Recorder
) -> None:
    recorder.record(make_spans(0))
    due = find_due(connection)
    assert due is not None
    connection.execute("PRAGMA secure_delete = OFF").fetchone()
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError):
        replace_bodies(connection, [p for p in map(pack_body, due.bodies) if p], due.reached)
    assert scalar(connection, "PRAGMA secure_delete") == 0
