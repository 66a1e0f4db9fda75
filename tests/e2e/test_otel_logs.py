"""The log pipeline of OpenTelemetry's Python SDK: exceptions become errors, lines are declined."""

import subprocess
import sys
from pathlib import Path

import pytest

from miniapm.domain.errors.values import Occurrence
from miniapm.storage.errors.occurrences import get_occurrence
from tests.conftest import Server
from tests.e2e.sent_telemetry import read_errors, read_releases

APPLICATION = Path(__file__).parent / "otel_logs_app.py"
SECONDS = 120
NOT_KEPT = "not kept: miniapm keeps only log records with exception.type or exception.message"


def run_payment(server: Server, *wanted: str) -> list[str]:
    """What the application printed."""
    done = subprocess.run(
        [sys.executable, APPLICATION, server.url, server.make_key(), *wanted],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return [line.strip() for line in done.stdout.splitlines()]


def read_occurrences(server: Server) -> list[Occurrence]:
    rows = server.rows("select id, project_id, group_id from error_occurrences order by id")
    read = server.running.context.database.read
    return [
        server.run(read(get_occurrence, row["project_id"], row["group_id"], row["id"])).occurrence
        for row in rows
    ]


def test_an_exception_that_is_logged_becomes_an_error(real_server: Server) -> None:
    span, answer = run_payment(real_server, "logged")
    assert answer == "answer 200 0"
    assert read_errors(real_server) == [("KeyError", "XXX", 1)]
    [stored] = read_occurrences(real_server)
    assert (stored.service, stored.version) == ("payments", "7")
    assert (stored.exception_class, stored.message) == ("KeyError", "XXX")
    assert span == f"span {stored.trace_id} {stored.span_id}"
    assert stored.backtrace[0] == "Traceback (most recent call last):"
    assert stored.backtrace[-1] == "KeyError: 'XXX'"
    assert any("in find_rate" in line for line in stored.backtrace)
    assert stored.culprit == "tests/e2e/otel_logs_app.py in find_rate"


def test_a_line_is_declined_and_nothing_is_stored(real_server: Server) -> None:
    assert run_payment(real_server, "line") == [f"answer 200 1 1 log record {NOT_KEPT}"]
    assert read_errors(real_server) == []
    assert read_releases(real_server) == []


def test_lines_around_an_exception_do_not_keep_it_out(real_server: Server) -> None:
    printed = run_payment(real_server, "line", "logged", "line")
    assert printed[-1] == f"answer 200 2 2 log records {NOT_KEPT}"
    assert read_errors(real_server) == [("KeyError", "XXX", 1)]


# the SDK tells `__main__.CardError` in a span and `CardError` in a log, and where an exception is
# logged it has come through fewer frames: either is another fingerprint


@pytest.mark.parametrize(
    "what",
    [
        "both",
        "renamed",
        "deep",
    ],
)
def test_a_span_and_its_log_tell_one_exception(real_server: Server, what: str) -> None:
    assert run_payment(real_server, what) == ["answer 200 0"]
    assert len(real_server.rows("select id from entries where failed = 1")) == (what == "deep")
    assert [count for _, _, count in read_errors(real_server)] == [1]
    [stored] = read_occurrences(real_server)
    assert stored.trace_id
    assert stored.span_id
