"""The traces that name a person, in either encoding, and packed."""

import pytest

from miniapm.domain.otlp.packing import pack
from miniapm.domain.otlp.persons import find_traces_of
from miniapm.domain.otlp.stored import StoredBody
from miniapm.domain.spans.compression import compress_plain
from tests.factories import START
from tests.spans import DEFAULTS, SentSpan, make_trace_id, write_json, write_protobuf

ONE, TWO, THREE, FOUR = (make_trace_id(0xAB + number) for number in range(4))
SPANS = [
    SentSpan(ONE, START, attributes={"user.id": "ann"}),
    SentSpan(TWO, START, attributes={"enduser.id": "ann", "user.id": "support"}),
    SentSpan(THREE, START, attributes={"user.id": "anna", "other.user.id": "ann"}),
    SentSpan(FOUR, START, attributes={"user.id": 42}),
    SentSpan(FOUR, START, kind=1),
]


@pytest.fixture(params=["protobuf", "json", "packed"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def store(encoding: str, spans: list[SentSpan], **resource: str) -> StoredBody:
    named = {name.replace("_", "."): value for name, value in resource.items()}
    if encoding == "json":
        return StoredBody("json", DEFAULTS, compress_plain(write_json(spans, named)))
    body = write_protobuf(spans, named)
    packed = pack(body, fewest_spans=1) if encoding == "packed" else body
    assert packed is not None
    return StoredBody("protobuf", DEFAULTS, compress_plain(packed))


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [("ann", {ONE, TWO}), ("anna", {THREE}), ("42", {FOUR}), ("support", {TWO}), ("an", set())],
)
def test_spans_name_persons(encoding: str, user_id: str, expected: set[str]) -> None:
    assert find_traces_of(store(encoding, SPANS), user_id) == expected


def test_a_damaged_body_does_not_stop_the_search(encoding: str) -> None:
    stored = store(encoding, SPANS)
    assert find_traces_of(stored._replace(body=stored.body[:-9]), "ann") == set()


def test_a_resource_names_a_person_for_all_its_spans(encoding: str) -> None:
    stored = store(encoding, [SentSpan(ONE, START), SentSpan(TWO, START)], enduser_id="ann")
    assert find_traces_of(stored, "ann") == {ONE, TWO}
    assert find_traces_of(stored, "bob") == set()


def test_json_may_write_a_name_in_other_ways() -> None:
    body = write_json([SentSpan(ONE, START, attributes={"user.id": "änn"})])
    body = body.replace(ONE.encode(), ONE.upper().encode())
    assert b"\\u00e4nn" in body
    assert find_traces_of(StoredBody("json", DEFAULTS, compress_plain(body)), "änn") == {ONE}


def test_a_body_that_cannot_be_read_names_nobody(encoding: str) -> None:
    broken = store(encoding, SPANS)._replace(body=compress_plain(b"\xff user.id \xff"))
    assert find_traces_of(broken, "ann") == set()
    requests = StoredBody("requests", DEFAULTS, b"")
    assert find_traces_of(requests, "ann") == set()
