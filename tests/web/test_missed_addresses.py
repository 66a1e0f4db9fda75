"""Senders that miss their address: told which is meant, in the shape that they read, and kept."""

from typing import Any

import httpx2
import pytest

from miniapm.domain.keys import READ, make_secret
from miniapm.domain.otlp.schema import load_schema
from miniapm.storage.connection import Connection
from miniapm.storage.doctor.refusals import examine_refusals
from miniapm.storage.projects import find_projects
from miniapm.web.routes import INGEST_ROUTES
from tests.conftest import Server

PROTOBUF = "application/x-protobuf"
FORM = "application/x-www-form-urlencoded"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EXPORT = b'{"resourceSpans": [{"scopeSpans": []}]}'


def flush(connection: Connection) -> None:
    """A write of nothing: when it is done, all that came before it is on disk."""


def refusals(server: Server) -> list[dict[str, Any]]:
    server.run(server.running.context.database.write(flush))
    return server.rows("select * from refusals order by id")


def post(
    server: Server, path: str, content_type: str, key: str | None = None, body: bytes = EXPORT
) -> httpx2.Response:
    headers = {"content-type": content_type}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return server.http.post(path, content=body, headers=headers)


def read_status(answer: httpx2.Response) -> tuple[int, str]:
    if answer.headers["content-type"] == PROTOBUF:
        status = load_schema().RpcStatus.FromString(answer.content)
        return status.code, status.message.decode()
    told = answer.json()
    assert set(told) == {"code", "message"}
    return told["code"], told["message"]


def advise(server: Server, signal: str = "traces") -> str:
    return (
        f"{signal.capitalize()} go to /v1/{signal}: give the SDK {server.url} "
        f"(OTEL_EXPORTER_OTLP_ENDPOINT) without it, or {server.url}/v1/{signal} "
        f"(OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT)."
    )


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json"])
@pytest.mark.parametrize(
    ("path", "signal"),
    [
        ("/v1/traces/v1/traces", "traces"),
        ("/v1/trace", "traces"),
        ("/v1/tarces", "traces"),
        ("/v1/traces/v1/logs", "logs"),
        ("/ingest/v1/trace", "traces"),
        ("/ingest/deploys/v1/metrics/", "metrics"),
        ("/p/default/v1/traces", "traces"),
        ("/api/v1/otlp/v1/log", "logs"),
    ],
)
def test_an_exporter_is_told_where_its_telemetry_goes(
    server: Server, content_type: str, path: str, signal: str
) -> None:
    key = server.make_key("traces:write")
    answer = post(server, path, content_type, key)
    assert (answer.status_code, answer.headers["content-type"]) == (404, content_type)
    assert read_status(answer) == (5, advise(server, signal))
    [row] = refusals(server)
    [known] = server.rows("select id, project_id from keys")
    assert (row["project_id"], row["key_id"]) == (known["project_id"], known["id"])
    assert (row["route"], row["status"]) == (path, 404)
    assert row["message"] == advise(server, signal)
    kept = EXPORT if content_type != PROTOBUF else f"({len(EXPORT)} bytes of {PROTOBUF})".encode()
    assert row["body"] == kept


@pytest.mark.parametrize("secret", [None, "proj_nonsense", make_secret()], ids=["no", "bad", "new"])
@pytest.mark.parametrize("path", ["/v1/traces/v1/traces", "/", "/ingest/nope"])
def test_strangers_fill_no_list(server: Server, secret: str | None, path: str) -> None:
    ended = server.make_key(expires_at=server.clock())
    for key in (secret, ended):
        assert post(server, path, "application/json", key).status_code == 404
        assert post(server, path, PROTOBUF, key).status_code == 404
    kept = refusals(server)
    assert kept == []


def test_reading_what_is_not_there_is_no_refused_call(server: Server) -> None:
    headers = {"authorization": f"Bearer {server.make_key(READ)}"}
    answer = server.http.get("/nowhere", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert server.http.head("/v1/trace", headers=headers).status_code == 404
    assert refusals(server) == []


@pytest.mark.parametrize(
    ("path", "noun", "meant"),
    [
        ("/ingest/request", "requests", "/ingest/requests"),
        ("/ingest/deploy", "deploys", "/ingest/deploys"),
        ("/ingest/deployments", "deploys", "/ingest/deploys"),
        ("/ingest/error", "errors", "/ingest/errors"),
        ("/ingest/errors/batches", "errors", "/ingest/errors/batch"),
        ("/ingest/deploys/ingest/deploys", "deploys", "/ingest/deploys"),
        ("/Ingest/Deploys", "deploys", "/ingest/deploys"),
        ("/deploy", "deploys", "/ingest/deploys"),
        ("/deployment", "deployments", "/deployments"),
    ],
)
def test_the_nearest_address_is_named(server: Server, path: str, noun: str, meant: str) -> None:
    answer = post(server, path, FORM, server.make_key(), b"{}")
    message = f"There is nothing at this address; {noun} go to {meant}."
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json() == {"error": "not_found", "message": message}
    [row] = refusals(server)
    assert (row["route"], row["status"], row["message"]) == (path, 404, message)


@pytest.mark.parametrize("path", ["/ingest", "/ingest/", "/ingest/nope", "/x"])
def test_where_none_is_near_all_are_listed(server: Server, path: str) -> None:
    message = post(server, path, "application/json", body=b"{}").json()["message"]
    assert message == (
        "There is nothing at this address; deploys go to /ingest/deploys, deployments to "
        "/deployments, errors to /ingest/errors, traces to /v1/traces, logs to /v1/logs, metrics "
        "to /v1/metrics, requests to /ingest/requests."
    )


def test_what_looks_like_traces_is_answered_in_the_shape_of_its_address(server: Server) -> None:
    answer = post(server, "/ingest/spans", "application/json")
    assert answer.json() == {"error": "not_found", "message": advise(server)}


def test_protobuf_at_any_other_address_is_telemetry(server: Server) -> None:
    code, message = read_status(post(server, "/otlp", PROTOBUF))
    assert (code, message) == (5, advise(server) + " Logs go to /v1/logs.")


def test_a_key_in_the_address_is_not_kept(server: Server) -> None:
    key = server.make_key()
    answer = post(server, f"/x/{key}/y" + "z" * 500, "application/json", key)
    assert key not in answer.text
    [row] = refusals(server)
    assert key not in row["route"]
    assert row["route"].startswith("/x/")
    assert len(row["route"]) <= 201


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_person_gets_a_page(server: Server, method: str) -> None:
    login = {**BROWSER, "authorization": "Basic YTpi"}
    for headers in (BROWSER, login):
        answer = server.http.request(method, "/nothing/here", headers=headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "There is nothing at this address.</p>" in answer.text


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({}, "POST"),
        ({}, "DELETE"),
        ({"authorization": "Bearer x"}, "GET"),
        ({"authorization": "Bearer x", **BROWSER}, "GET"),
        ({"authorization": "x"}, "GET"),
        ({"content-type": "application/json; charset=utf-8", **BROWSER}, "GET"),
    ],
)
def test_a_program_gets_json(server: Server, headers: dict[str, str], method: str) -> None:
    answer = server.http.request(method, "/nothing/here", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "signal"),
    [
        (EXPORT, "traces"),
        (b'{"a": 1, "resourceLogs" : []}', "logs"),
        (b'{"resourceMetrics": []}', "metrics"),
        (b'{"resource_spans": []}', "traces"),
        (b'{"resourceSpans": [{"a": "\xff"}]}', "traces"),
        (b'{"resourceSpans": [{"a": "' + b"x" * 2**21 + b'"}]}', "traces"),
    ],
    ids=["traces", "logs", "metrics", "snake", "not utf-8", "large"],
)
def test_json_telemetry_at_the_root(server: Server, body: bytes, signal: str) -> None:
    answer = post(server, "/", "application/json", server.make_key("traces:write"), body)
    assert answer.status_code == 404
    assert read_status(answer) == (5, advise(server, signal))
    [row] = refusals(server)
    assert (row["route"], row["status"], row["message"]) == ("/", 404, advise(server, signal))
    assert row["project_id"] != 0
    assert row["body"].startswith((body[:10], b"(31 bytes"))


def test_protobuf_at_the_root(server: Server) -> None:
    answer = post(server, "/", PROTOBUF, server.make_key("traces:write"), b"\n\x80\xff")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROTOBUF)
    code, message = read_status(answer)
    assert (code, message) == (5, advise(server) + " Logs go to /v1/logs.")
    [row] = refusals(server)
    assert row["project_id"] != 0
    assert (row["route"], row["status"], row["message"]) == ("/", 404, message)


def test_other_bodies_at_the_root_are_builds_still(server: Server) -> None:
    for body, reason in ((b"{", "not valid JSON"), (b'{"x": 1}', "A key is needed")):
        answer = post(server, "/", "application/json", body=body)
        assert answer.json()["status"] == "error"
        assert reason in answer.json()["errors"][0]
    large = post(server, "/", "application/json", body=b" " * 2**21)
    assert large.status_code == 413
    assert [row["project_id"] for row in refusals(server)] == [0, 0, 0]


def test_every_address_is_found_behind_a_prefix(server: Server) -> None:
    for route in INGEST_ROUTES:
        message = post(server, f"/x{route.path}", "application/json").json()["message"]
        assert f"go to {route.path.replace('/ingest/v1', '/v1')}" in message


def test_pages_and_doctor_tell_of_it(server: Server) -> None:
    assert post(server, "/v1/traces/v1/traces", PROTOBUF, server.make_key()).status_code == 404
    [row] = refusals(server)
    page = server.sign_in().get("/p/default/settings").text
    assert "/v1/traces/v1/traces" in page
    assert row["message"] in page
    database = server.running.context.database
    [project] = server.run(database.read(find_projects))
    [finding] = server.run(database.read(examine_refusals, project, server.clock(), ""))
    assert finding.mark == "problem"
    assert "(/v1/traces/v1/traces, 404)" in finding.sentence
    assert row["message"] in finding.sentence
    assert finding.advice.startswith("Correct the address that the sender has.")
