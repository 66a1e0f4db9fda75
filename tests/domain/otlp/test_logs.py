"""Log records: those that carry an exception become errors, the others are politely declined."""

import pytest

from miniapm.clock import DAY
from tests.domain.otlp.reading import ENCODINGS, read_records
from tests.otlp import NOW, NOW_NS, Group, Log

pytestmark = pytest.mark.parametrize("encoding", ENCODINGS)

TOLD = {"exception.type": "KeyError", "exception.message": "'sku'"}
NOT_KEPT = "miniapm keeps only log records with exception.type or exception.message"


def test_an_exception_becomes_an_error(encoding: str) -> None:
    record = Log(
        {**TOLD, "exception.stacktrace": 'File "/srv/app/a.py", line 3, in f', "token": "x"},
        body="Checkout failed",
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
    )
    logs = read_records(encoding, Group([record], {"service.name": "cart", "service.version": "2"}))
    [error] = logs.occurrences
    assert (error.exception_class, error.message) == ("KeyError", "'sku'")
    assert (error.service, error.env, error.version) == ("cart", "production", "2")
    assert error.happened_at == NOW
    assert (error.trace_id, error.span_id) == ("01" * 16, "02" * 8)
    assert error.backtrace == ('File "/srv/app/a.py", line 3, in f',)
    assert error.context == {"token": "[masked]", "body": "Checkout failed"}
    assert (logs.rejected, logs.reason) == (0, "")


@pytest.mark.parametrize("name", ["exception.type", "exception.message"])
def test_either_name_suffices(encoding: str, name: str) -> None:
    logs = read_records(encoding, Group([Log({name: "x"})]))
    assert len(logs.occurrences) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"level": "info"},
        {"exception.type": ""},
        {"exception.escaped": True},
        {"x": "exception"},
    ],
)
def test_other_records_are_declined(encoding: str, attributes: dict[str, object]) -> None:
    logs = read_records(encoding, Group([Log(attributes), Log(TOLD)]), Group([Log(body="hello")]))
    assert len(logs.occurrences) == 1
    assert (logs.rejected, logs.reason) == (2, f"2 log records not kept: {NOT_KEPT}")
    [alone] = [read_records(encoding, Group([Log(attributes)]))]
    assert alone.reason == f"1 log record not kept: {NOT_KEPT}"


@pytest.mark.parametrize(
    ("at", "observed_at", "happened_at"),
    [
        (NOW_NS - 5000, 0, NOW - 5),
        (0, NOW_NS - 7000, NOW - 7),
        (0, 0, NOW),
        (NOW_NS - 14 * DAY * 1000, 0, NOW - 14 * DAY),
    ],
)
def test_when_it_happened(encoding: str, at: int, observed_at: int, happened_at: int) -> None:
    logs = read_records(encoding, Group([Log(TOLD, at=at, observed_at=observed_at)]))
    assert logs.occurrences[0].happened_at == happened_at


@pytest.mark.parametrize("at", [1, NOW_NS - 15 * DAY * 1000, NOW_NS + DAY * 1000, 2**64 - 1])
def test_other_times_are_refused(encoding: str, at: int) -> None:
    logs = read_records(encoding, Group([Log(TOLD, at=at)]))
    assert logs.occurrences == []
    assert logs.reason == (
        "1 log record not kept: the time is more than 14 days ago or 10 minutes ahead"
    )


def test_the_same_exception_in_a_trace_counts_once(encoding: str) -> None:
    traced = Log(TOLD, trace_id=b"\x01" * 16)
    loose = Log(TOLD)
    logs = read_records(encoding, Group([traced, traced, loose, loose]))
    assert sorted(error.trace_id for error in logs.occurrences) == ["", "", "01" * 16]


def test_ids_of_the_wrong_length_are_left_out(encoding: str) -> None:
    logs = read_records(encoding, Group([Log(TOLD, trace_id=b"\x01", span_id=b"\x02" * 9)]))
    assert (logs.occurrences[0].trace_id, logs.occurrences[0].span_id) == ("", "")


def test_nothing(encoding: str) -> None:
    logs = read_records(encoding)
    assert (logs.occurrences, logs.rejected, logs.reason) == ([], 0, "")


def test_large_bodies(encoding: str) -> None:
    records = [Log({**TOLD, "n": n, "big": "x" * 3000}, body=str(n)) for n in range(500)]
    logs = read_records(encoding, Group(records), Group([Log(body="y" * 2_000_000)]))
    assert sorted(error.context["n"] for error in logs.occurrences) == list(range(500))
    assert logs.rejected == 1
