"""What dictionaries learn from holds nothing that people ask to have erased."""

import pytest

from miniapm.domain.otlp.samples import clean_sample
from miniapm.domain.spans.values import Format
from tests.domain.otlp.reading import write
from tests.otlp import Event, Group, Span

PERSON = "alice@example.org"


@pytest.mark.parametrize("format_", ["protobuf", "json"])
def test_persons_and_ids_are_taken_out(format_: Format) -> None:
    span = Span(
        trace_id=b"trace-id-of-16-b",
        span_id=b"span-id8",
        parent_id=b"parentid",
        name="GET /orders",
        attributes={"user.id": PERSON, "http.route": "/orders"},
        events=[Event(attributes={"enduser.id": PERSON, "exception.type": "Timeout"})],
    )
    body = write(format_, [Group([span], {"service.name": "shop", "enduser.id": PERSON})])
    cleaned = clean_sample(format_, body)
    assert cleaned is not None
    gone = [PERSON, "trace-id-of-16-b", "span-id8", "parentid"]
    for text in gone:
        forms = [text.encode(), text.encode().hex().encode()]
        assert any(form in body for form in forms), text
        assert not any(form in cleaned for form in forms), text
    for kept in (b"GET /orders", b"http.route", b"service.name", b"shop"):
        assert kept in cleaned


@pytest.mark.parametrize("format_", ["protobuf", "json"])
@pytest.mark.parametrize("body", [b"\xff\xff", b"[]", b'{"resourceSpans": [1]}', b"{"])
def test_what_cannot_be_read_is_no_sample(format_: Format, body: bytes) -> None:
    assert clean_sample(format_, body) is None
