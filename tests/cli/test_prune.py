"""`miniapm prune`: what is too old goes, a trace and a person are erased, beside a server too."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from miniapm import clock
from miniapm.clock import DAY, HOUR
from miniapm.domain.retention import Lifetimes
from miniapm.storage.connection import open_connection, transaction
from miniapm.storage.jobs import write_lifetimes
from miniapm.storage.refusals import UNKNOWN_PROJECT, Refusal, insert_refusal
from tests.cli.conftest import Command
from tests.cli.terminal import run_in_terminal
from tests.conftest import FakeClock, Server, start_server
from tests.factories import make_occurrence
from tests.spans import Recorder, SentSpan, make_trace_id, write_protobuf

ONE, TWO, THREE = (make_trace_id(number) for number in range(3))
TABLES = ("span_batches", "span_batch_traces", "entries", "error_occurrences")


@pytest.fixture
def recorder(miniapm: Command) -> Iterator[Recorder]:
    """Of the command's database, with a clock that stands ten days ago."""
    connection = open_connection(miniapm.home / "miniapm.db")
    yield Recorder(connection, FakeClock(clock.now() - 10 * DAY))
    connection.close()


def counts(command: Command) -> list[int]:
    return [command.rows(f"select count(*) as n from {table}")[0]["n"] for table in TABLES]


def make_refusal(body: bytes, refusal_id: int, **fields: Any) -> Refusal:
    values = {"project_id": 1, "message": "Bad.", "fields": {}, **fields}
    return Refusal(
        id=refusal_id,
        route="/ingest/errors",
        key_id=None,
        status=400,
        body=body,
        refused_at=0,
        **values,
    )


def record_error(recorder: Recorder, **fields: Any) -> None:
    found = make_occurrence(**{"happened_at": recorder.clock(), **fields})
    with transaction(recorder.connection):
        recorder.store.record_errors(recorder.connection, 1, [found])


def fill(recorder: Recorder) -> None:
    """Of ten days ago, and of now: a batch with a request and an error."""
    for number in range(2):
        at = recorder.clock()
        trace_id = make_trace_id(number)
        recorder.record([SentSpan(trace_id, at), SentSpan(trace_id, at, kind=1)])
        record_error(recorder)
        recorder.clock.move(10 * DAY)
    recorder.flush()


def test_what_is_too_old_goes(miniapm: Command, recorder: Recorder) -> None:
    fill(recorder)
    dry = miniapm("prune", "--dry-run", "--json")
    assert (dry.code, json.loads(dry.out)["spans"], counts(miniapm)) == (0, 2, [2, 2, 2, 2])
    assert "Nothing was deleted" in dry.err
    done = miniapm("prune", "--json")
    assert (done.code, done.err) == (0, "")
    removed = json.loads(done.out)
    assert removed == {
        "spans": 2,
        "requests": 1,
        "occurrences": 0,
        "rollups": 0,
        "error_counts": 0,
        "endpoints": 0,
        "releases": 0,
    }
    assert {name: json.loads(dry.out).get(name, 0) for name in removed} == removed
    assert counts(miniapm) == [1, 1, 1, 2]
    again = miniapm("prune")
    assert (again.code, again.out.split()[:2]) == (0, ["spans", "0"])


def test_settings_say_how_old(miniapm: Command, recorder: Recorder) -> None:
    fill(recorder)
    settings = {"MINIAPM_RETENTION_SPANS": "30d", "MINIAPM_RETENTION_ERRORS": "2d"}
    removed = json.loads(miniapm("prune", "--json", **settings).out)
    assert (removed["spans"], removed["occurrences"]) == (0, 1)


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("SPANS", "59m", "1h"),
        ("ERRORS", "23h", "1d"),
        ("MINUTES", "23h", "1d"),
        ("TEN_MINUTES", "47h", "2d"),
        ("HOURS", "1w", "8d"),
    ],
)
def test_pages_need_some_of_it(miniapm: Command, name: str, value: str, least: str) -> None:
    refused = miniapm("prune", **{f"MINIAPM_RETENTION_{name}": value})
    assert refused.code == 2
    assert f"MINIAPM_RETENTION_{name} is bad: must be at least {least}" in refused.err
    assert miniapm("prune", **{f"MINIAPM_RETENTION_{name}": least}).code == 0


def test_names_go_where_no_server_remembers_them(miniapm: Command, recorder: Recorder) -> None:
    fill(recorder)
    for table in ("entries", "rollups", "error_releases", "error_groups"):
        recorder.connection.execute(f"delete from {table}")
    for table in ("endpoints", "releases"):
        recorder.connection.execute(f"update {table} set last_seen_at = 0")
    removed = json.loads(miniapm("prune", "--json").out)
    assert (removed["endpoints"], removed["releases"]) == (1, 1)


def test_shorter_settings_than_the_server_s_need_a_yes(
    miniapm: Command, recorder: Recorder
) -> None:
    fill(recorder)
    kept = Lifetimes(30 * DAY, 30 * DAY, 16 * DAY, 90 * DAY, 400 * DAY)
    with transaction(recorder.connection):
        write_lifetimes(recorder.connection, kept)
    done = miniapm("prune")
    assert (done.code, counts(miniapm)) == (2, [2, 2, 2, 2])
    assert "The server keeps spans for 30d, these settings for 7d." in done.err
    code, _ = run_in_terminal(miniapm.home, "prune", typed={"[y/N]": "n"})
    assert (code, counts(miniapm)[0]) == (2, 2)
    assert miniapm("prune", MINIAPM_RETENTION_SPANS="40d").code == 0
    assert counts(miniapm)[0] == 2
    assert miniapm("prune", "--yes").code == 0
    assert counts(miniapm)[0] == 1


def test_a_trace_is_erased_and_nothing_else(miniapm: Command, recorder: Recorder) -> None:
    at = recorder.clock()
    recorder.record([SentSpan(ONE, at), SentSpan(TWO, at), SentSpan(ONE, at, kind=1)])
    recorder.record([SentSpan(ONE, at)], as_json=True)
    record_error(recorder, trace_id=ONE, span_id="01" * 8)
    record_error(recorder, trace_id=TWO, span_id="02" * 8)
    expected = {"spans": 3, "requests": 2, "occurrences": 1, "refusals": 0, "messages": 0}
    dry = miniapm("prune", "--trace", ONE, "--dry-run", "--json")
    assert (dry.code, json.loads(dry.out)) == (0, expected)
    assert counts(miniapm) == [2, 2, 3, 2]
    done = miniapm("prune", "--trace", ONE.upper(), "--json", "--yes")
    assert (done.code, json.loads(done.out)) == (0, expected)
    assert "Erased from default: 3 spans, 2 requests, 1 occurrence." in done.err
    assert counts(miniapm) == [1, 1, 1, 1]
    [entry] = miniapm.rows("select hex(trace_id) as trace_id from entries")
    assert entry["trace_id"].lower() == TWO
    [note] = miniapm.rows("select subject, detail, project_id from audit")
    assert note == {
        "subject": f"trace {ONE}",
        "detail": "3 spans, 2 requests, 1 occurrence",
        "project_id": 1,
    }
    again = miniapm("prune", "--trace", ONE, "--json", "-y")
    assert (again.code, set(json.loads(again.out).values())) == (0, {0})
    missing = f"Nothing of trace {ONE} is in default; look at the id, and at --project."
    assert again.err.splitlines() == [missing]


def test_a_person_is_erased(miniapm: Command, recorder: Recorder) -> None:
    at = recorder.clock()
    person = "ann@example.com"
    recorder.record([SentSpan(ONE, at, attributes={"user.id": person}), SentSpan(TWO, at)])
    recorder.record([SentSpan(ONE, at, kind=1), SentSpan(THREE, at)])
    recorder.record([SentSpan(THREE, at, attributes={"user.id": "bob"})], as_json=True)
    record_error(recorder, user_id=person)
    record_error(recorder, user_id="bob")
    record_error(recorder, trace_id=ONE, span_id="01" * 8)
    done = miniapm("prune", "--user", person, "--json", "--yes")
    assert (done.code, json.loads(done.out)) == (
        0,
        {"spans": 2, "requests": 1, "occurrences": 2, "refusals": 0, "messages": 0},
    )
    assert "Looked through 3 of 3 batches" in done.err
    assert [row["n"] for row in miniapm.rows("select span_count as n from span_batches")] == [1] * 3
    assert counts(miniapm)[2:] == [3, 1]
    # who it was stands nowhere, not in the audit trail nor in freed pages
    for name in ("miniapm.db", "miniapm.db-wal"):
        assert person.encode() not in (miniapm.home / name).read_bytes(), name
    [note] = miniapm.rows("select action, subject from audit")
    assert note == {"action": "user.erase", "subject": "a person"}
    assert miniapm("prune", "--user", "bob", "--yes").code == 0
    assert counts(miniapm)[3] == 0


def test_how_far_it_is_with_the_many_traces_of_a_person(
    miniapm: Command, recorder: Recorder
) -> None:
    at, person = recorder.clock(), {"user.id": "ann@example.com"}
    ids = [f"{number:032x}" for number in range(1, 61)]
    recorder.record([SentSpan(trace_id, at, attributes=person) for trace_id in ids])
    done = miniapm("prune", "--user", "ann@example.com", "--json", "--yes")
    assert json.loads(done.out)["spans"] == 60
    told = [line for line in done.err.splitlines() if "traces" in line]
    assert told[:2] == ["Erased 6 of 60 traces.", "Erased 12 of 60 traces."]
    assert len(told) == 10


def test_what_names_a_person_only_in_words_is_erased_too(
    miniapm: Command, recorder: Recorder
) -> None:
    person = "4711"
    for context in (
        {"user.id": 4711},
        {"enduser": {"id": person}},
        {"user": {"id": "14711"}},
        None,
    ):
        record_error(recorder, context=context, exception_class="Nested")
    record_error(recorder, message="bad user 4711, not 14711", exception_class="Named")
    refusals = [
        make_refusal(b'{"user_id": "4711"', 1),
        make_refusal(b"{}", 2, fields={"user_id": "4711 is no text"}),
        make_refusal(b'{"user_id": "14711"}', 3),
        make_refusal(b"user_id=4711", 4, project_id=UNKNOWN_PROJECT),
    ]
    for refusal in refusals:
        insert_refusal(recorder.connection, refusal)
    expected = {"spans": 0, "requests": 0, "occurrences": 2, "refusals": 3, "messages": 1}
    dry = miniapm("prune", "--user", person, "--json", "--dry-run")
    assert (json.loads(dry.out), counts(miniapm)[3]) == (expected, 5)
    done = miniapm("prune", "--user", person, "--json", "--yes")
    assert (done.code, json.loads(done.out)) == (0, expected)
    assert "Erased from default: 2 occurrences, 3 refusals, 1 message." in done.err
    assert counts(miniapm)[3] == 3
    assert [row["id"] for row in miniapm.rows("select id from refusals")] == [3]
    sql = "select message, search, fingerprint from error_groups where exception_class = 'Named'"
    [group] = miniapm.rows(sql)
    assert (group["message"], group["fingerprint"]) == ("bad user \u2026, not 14711", "Named")
    assert "bad user \u2026, not 14711" in group["search"].splitlines()


def test_a_terminal_is_asked_first(miniapm: Command, recorder: Recorder) -> None:
    record_error(recorder, user_id="ann")
    command = ("prune", "--user", "ann")
    code, screen = run_in_terminal(miniapm.home, *command, typed={"[y/N]": "n"})
    assert (code, counts(miniapm)[3]) == (2, 1)
    table, question = screen.split("Erase user ann from default?")
    assert "occurrences  1" in table
    assert "Nothing was changed." in question
    code, screen = run_in_terminal(miniapm.home, *command, typed={"[y/N]": "y"})
    assert (code, counts(miniapm)[3]) == (0, 0)
    assert "Erased from default: 1 occurrence." in screen
    record_error(recorder, user_id="ann")
    code, screen = run_in_terminal(miniapm.home, *command, "-y", typed={})
    assert (code, counts(miniapm)[3]) == (0, 0)
    assert "[y/N]" not in screen
    # nobody is asked about nothing
    code, screen = run_in_terminal(miniapm.home, *command, typed={})
    assert (code, "Nothing of user ann is in default" in screen) == (0, True)


def test_where_nobody_can_be_asked_it_is_done(miniapm: Command, recorder: Recorder) -> None:
    record_error(recorder, user_id="ann")
    done = miniapm("prune", "--user", "ann")
    assert (done.code, counts(miniapm)[3]) == (0, 0)
    assert "[y/N]" not in done.err
    assert "Erased from default: 1 occurrence" in done.err


def test_somebody_who_reads_keeps_the_log(miniapm: Command, recorder: Recorder) -> None:
    record_error(recorder, user_id="ann")
    recorder.connection.execute("begin")
    recorder.connection.execute("select count(*) from error_occurrences").fetchone()
    done = miniapm("prune", "--user", "ann", "--yes")
    assert done.code == 0
    assert "miniapm.db-wal, may hold it until whoever reads the database" in done.err
    recorder.connection.execute("rollback")


def test_another_project_is_left_alone(miniapm: Command, recorder: Recorder) -> None:
    miniapm("projects", "create", "Blog")
    assert miniapm.rows("select count(*) as n from projects") == [{"n": 2}]
    at = recorder.clock()
    recorder.record([SentSpan(ONE, at, attributes={"user.id": "ann"})])
    record_error(recorder, user_id="ann")
    for what in (("--user", "ann"), ("--trace", ONE)):
        done = miniapm("prune", *what, "--project", "blog", "--json", "--yes")
        assert "is in blog" in done.err
        assert set(json.loads(done.out).values()) == {0}
    assert counts(miniapm) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--trace", "abc"], "32 hexadecimal digits"),
        (["--trace", ""], "32 hexadecimal digits"),
        (["--user", " "], "is empty"),
        (["--user", "a", "--trace", ONE], "one after the other"),
        (["--project", "default"], "goes with --trace or --user"),
        (["--user", "a", "--project", "nope"], "There is no project nope."),
    ],
)
def test_wrong_use_is_refused(miniapm: Command, arguments: list[str], expected: str) -> None:
    done = miniapm("prune", *arguments)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    yield from start_server(tmp_path / "miniapm.db", clock.now)


def test_beside_a_server_that_takes_spans(server: Server, command: Command) -> None:
    headers = {
        "Authorization": f"Bearer {server.make_key('traces:write')}",
        "Content-Type": "application/x-protobuf",
    }
    answers: list[int] = []
    done = threading.Event()

    def send() -> None:
        number = 0
        with httpx2.Client(base_url=server.url, headers=headers) as client:
            while not done.is_set() or number < 5:
                number += 1
                spans = [
                    SentSpan(make_trace_id(number), clock.now(), attributes={"user.id": "bob"}),
                    SentSpan("ab" * 16, clock.now(), attributes={"user.id": "ann"}),
                ]
                answer = client.post("/v1/traces", content=write_protobuf(spans))
                answers.append(answer.status_code)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        ends = [command("prune", "--user", "ann", "--yes"), command("prune", "--json")]
    finally:
        done.set()
        sender.join(20)
    assert [(end.code, "locked" in end.err) for end in ends] == [(0, False)] * 2
    assert set(answers) == {200}
    # what came in after the look is erased by another
    assert command("prune", "--user", "ann", "--yes").code == 0
    [kept] = server.rows("select count(*) as n, count(distinct trace_id) as traces from entries")
    assert kept == {"n": len(answers), "traces": len(answers)}
    context = server.running.context
    server.run(context.database.write(context.database.telemetry.flush))
    [figures] = server.rows(
        "select sum(count) as n from rollups where resolution = 60 and endpoint_id = 0"
    )
    assert figures["n"] == 2 * len(answers)
    assert server.rows("pragma integrity_check") == [{"integrity_check": "ok"}]


def test_beside_a_server_the_log_is_left_to_it(server: Server, command: Command) -> None:
    headers = {"Authorization": f"Bearer {server.make_key('errors:write')}"}
    error = {"exception_class": "Oops", "message": "it broke", "user_id": "ann"}
    assert server.http.post("/ingest/errors", json=error, headers=headers).status_code in (201, 202)
    done = command("prune", "--user", "ann", "--yes")
    assert (done.code, done.err.splitlines()) == (
        0,
        [
            "Erased from default: 1 occurrence.",
            "The log, miniapm.db-wal, may hold it until the server clears it, within about a "
            "minute.",
        ],
    )
    assert server.rows("select id from error_occurrences") == []


def test_a_server_keeps_the_names_that_it_remembers(server: Server, command: Command) -> None:
    context = server.running.context
    telemetry = context.database.telemetry
    [project] = server.rows("select id from projects")

    def insert(connection: Any) -> int:
        return telemetry.ids.endpoint(
            connection, project["id"], "shop", "GET /", clock.now() - 999 * DAY
        )

    server.run(context.database.write(insert))
    assert json.loads(command("prune", "--json").out)["endpoints"] == 0
    assert len(server.rows("select id from endpoints")) == 1


def test_projects_delete_takes_telemetry_along(miniapm: Command, recorder: Recorder) -> None:
    fill(recorder)
    recorder.clock.move(HOUR)
    assert miniapm("projects", "delete", "default", "--yes").code == 0
    assert counts(miniapm) == [0, 0, 0, 0]
    for table in ("rollups", "endpoints", "releases", "error_groups", "error_counts"):
        assert miniapm.rows(f"select count(*) as n from {table}") == [{"n": 0}], table
