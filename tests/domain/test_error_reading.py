"""Reading `POST /ingest/errors` whatever comes: an occurrence, or Invalid that names fields."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.errors.bounding import (
    MAX_LINE,
    MAX_LINES,
    MAX_MESSAGE,
    bound_lines,
    bound_value,
)
from miniapm.domain.errors.exceptions import read_exception
from miniapm.domain.errors.reading import parse_error, parse_errors, read_error
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import ReleaseName, TelemetryDefaults
from miniapm.exceptions import Invalid
from tests.domain import stack_traces
from tests.factories import START

T = TypeVar("T")

DEFAULTS = TelemetryDefaults("shop", "production")
SCRUBBER = Scrubber()
RELEASE = ReleaseName("shop", "production", "v1", "abc")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)
NAMES = st.sampled_from(
    [
        "exception_class",
        "error_type",
        "message",
        "backtrace",
        "fingerprint",
        "env",
        "environment",
        "service",
        "git_sha",
        "version",
        "timestamp",
        "happened_at",
        "user_id",
        "request_id",
        "trace_id",
        "span_id",
        "params",
        "context",
        "source_context",
    ]
)


def read(**fields: Any) -> Occurrence:
    given_fields = {"exception_class": "E", "message": "m", **fields}
    return read_error(given_fields, DEFAULTS, START, SCRUBBER)


def attempt(
    parse: Callable[[bytes, TelemetryDefaults, int, Scrubber], T], body: bytes
) -> T | dict[str, str]:
    """What `parse` makes of the body, or the fields that it refuses."""
    try:
        return parse(body, DEFAULTS, START, SCRUBBER)
    except Invalid as error:
        return error.fields


def is_storable(occurrence: Occurrence) -> bool:
    packed = msgspec.msgpack.encode(occurrence)
    msgspec.json.encode(occurrence)
    return len(packed) < 1_000_000


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for parse in (parse_error, parse_errors):
        with pytest.raises(Invalid):
            parse(body, DEFAULTS, START, SCRUBBER)


@given(st.dictionaries(NAMES, JSON | st.text()))
def test_any_fields_are_read_or_refused(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    found = attempt(parse_error, body)
    if isinstance(found, dict):
        assert found
        assert set(found) <= set(fields) | {"exception_class", "message"}
    else:
        assert is_storable(found)


@given(JSON)
def test_any_params_make_a_bounded_occurrence(value: Any) -> None:
    body = json.dumps({"exception_class": "E", "message": "m", "params": value, "context": value})
    assert is_storable(parse_error(body.encode(), DEFAULTS, START, SCRUBBER))


@given(st.lists(st.text(), max_size=20) | st.text())
def test_any_stack_trace_is_taken(backtrace: list[str] | str) -> None:
    occurrence = read(backtrace=backtrace)
    assert is_storable(occurrence)
    assert len(occurrence.backtrace) <= MAX_LINES + 1
    assert all(len(line) <= MAX_LINE for line in occurrence.backtrace)


@given(JSON)
def test_any_batch_is_read_item_by_item(items: Any) -> None:
    body = json.dumps({"errors": items}).encode()
    batch = attempt(parse_errors, body)
    if isinstance(batch, dict):
        assert set(batch) == {"errors"}
    else:
        assert len(batch.occurrences) + len(batch.rejected) == len(items)


@given(st.text(), st.text(), st.text(), st.dictionaries(st.text(), JSON))
def test_any_exception_of_telemetry_is_an_occurrence(
    name: str, message: str, stacktrace: str, attributes: dict[str, Any]
) -> None:
    occurrence = read_exception(
        RELEASE, START, name, message, stacktrace, scrubber=SCRUBBER, attributes=attributes
    )
    assert occurrence.exception_class
    assert len(occurrence.message) <= MAX_MESSAGE
    assert is_storable(occurrence)


def test_an_exception_of_telemetry() -> None:
    occurrence = read_exception(
        RELEASE,
        START,
        "ValueError",
        "bad token=abc",
        stack_traces.PYTHON,
        scrubber=SCRUBBER,
        trace_id="a" * 32,
        span_id="b" * 16,
        attributes={
            "exception.type": "ValueError",
            "http.route": "/cart",
            "http.request.header.cookie": "a=b",
            "enduser.id": 7,
        },
    )
    posted = read(
        exception_class="ValueError", message="x", backtrace=stack_traces.PYTHON.splitlines()
    )
    assert occurrence.fingerprint == posted.fingerprint
    assert occurrence.message == "bad token=[masked]"
    assert occurrence.culprit == posted.culprit == "app/shop/cart.py in total"
    assert occurrence.user_id == "7"
    assert (occurrence.service, occurrence.version, occurrence.revision) == ("shop", "v1", "abc")
    assert occurrence.context == {
        "http.route": "/cart",
        "http.request.header.cookie": "[masked]",
        "enduser.id": 7,
    }


def test_secrets_in_a_stack_trace_are_masked_and_its_places_stay() -> None:
    occurrence = read(
        backtrace='Traceback:\n  File "/app/token.py", line 7, in token\n'
        '    login(password="hunter2")\nValueError: secret=x'
    )
    assert occurrence.backtrace == (
        "Traceback:",
        '  File "/app/token.py", line 7, in token',
        "    login(password=[masked])",
        "ValueError: secret=[masked]",
    )


def test_secrets_in_ids_and_in_names_of_params_are_masked() -> None:
    occurrence = read(
        fingerprint="token=abcX",
        request_id="secret=abcX",
        user_id="token=abcX",
        params={"token=abcX": 1, "a": {"x&password=abcX": "b"}},
    )
    assert b"abcX" not in msgspec.json.encode(occurrence)
    assert occurrence.fingerprint == "token=[masked]"
    assert read(fingerprint="own").fingerprint == "own"


@pytest.mark.parametrize(
    ("trace_id", "kept"),
    [
        ("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("0" * 32, ""),
        ("", ""),
    ],
)
def test_trace_ids(trace_id: str, kept: str) -> None:
    assert read(trace_id=trace_id).trace_id == kept


def test_a_misspelt_field_is_pointed_out() -> None:
    with pytest.raises(Invalid) as caught:
        read_error({"klass": "E", "message": "m"}, DEFAULTS, START, SCRUBBER)
    assert caught.value.fields == {"exception_class": "is required; you sent klass"}


def test_the_misspelt_field_stands_alone_among_others() -> None:
    given = {"exception_class": "E", "mesage": "m", "tags": "a", "team": "b"}
    with pytest.raises(Invalid) as caught:
        read_error(given, DEFAULTS, START, SCRUBBER)
    assert caught.value.fields == {"message": "is required; you sent mesage"}


def test_numbers_that_no_store_holds_are_kept_as_text() -> None:
    assert bound_value([2**63, -(2**63), 10**200]) == [
        "9223372036854775808",
        "-9223372036854775808",
        "\N{HORIZONTAL ELLIPSIS} [cut]",
    ]


def test_a_stack_trace_of_endless_lines_is_cut() -> None:
    occurrence = read(backtrace=["x" * 5000] * 500)
    assert sum(map(len, occurrence.backtrace)) < 81_000
    assert len(read(backtrace=["x" * 5000]).backtrace[0]) == MAX_LINE


def test_the_sum_of_all_texts_is_bounded() -> None:
    value = {str(n): ["x" * 1999] * 90 for n in range(90)}
    assert len(json.dumps(bound_value(value))) < 50_000


def test_an_endless_text_of_short_lines_is_read_at_its_ends() -> None:
    text = "first\n" + "ab\n" * 1_000_000 + "last"
    lines = bound_lines([text])
    assert (lines[0], lines[-1], len(lines)) == ("first", "last", MAX_LINES + 1)
    [mark] = [line for line in lines if "cut" in line]
    assert abs(int(mark.split()[-2]) - (1_000_002 - MAX_LINES)) <= 3
