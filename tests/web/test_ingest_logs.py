"""`/v1/logs` and `/v1/metrics` in both encodings: the answers, and the rows behind them."""

import json

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from miniapm.clock import MINUTE
from miniapm.storage.budget import DEFAULT_BYTES, ROOM_FOR_SMALL
from tests.conftest import Server
from tests.otlp import NOW, NOW_NS, Group, Log, write_logs_json, write_logs_protobuf
from tests.web.otlp_calls import Sender

FAILURE = {"exception.type": "KeyError", "exception.message": "'sku'"}


@pytest.fixture(params=["protobuf", "json"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sender(server: Server, encoding: str) -> Sender:
    return Sender(server, encoding, server.make_key("errors:write"), "/v1/logs")


def write(encoding: str, *records: Log) -> bytes:
    group = [Group(records, {"service.name": "cart"})]
    return write_logs_json(group) if encoding == "json" else write_logs_protobuf(group)


def write_metrics(encoding: str, points: int) -> bytes:
    if encoding == "json":
        gauge = {"name": "m", "gauge": {"dataPoints": [{"asInt": "1"}] * points}}
        scopes = [{"scopeMetrics": [{"metrics": [gauge]}]}]
        return json.dumps({"resourceMetrics": scopes if points else []}).encode()
    request = ExportMetricsServiceRequest()
    if points:
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
        for _ in range(points):
            metric.gauge.data_points.add(as_int=1)
    return request.SerializeToString()


def test_an_exception_is_stored_before_the_answer(sender: Sender, server: Server) -> None:
    answer = sender.send(write(sender.encoding, Log(FAILURE)))
    assert answer.content == (b"" if sender.encoding == "protobuf" else b"{}")
    assert answer.status_code == 200
    [group] = server.rows("select * from error_groups")
    assert (group["exception_class"], group["message"]) == ("KeyError", "'sku'")
    assert (group["service"], group["count"], group["last_seen_at"]) == ("cart", 1, NOW)


@pytest.mark.parametrize("scope", ["errors:write", "traces:write"])
@pytest.mark.parametrize("path", ["/v1/logs", "/ingest/v1/logs"])
def test_either_scope_suffices(server: Server, encoding: str, scope: str, path: str) -> None:
    sender = Sender(server, encoding, server.make_key(scope), path)
    assert sender.read_partial(sender.send(write(encoding, Log(FAILURE)))) == (0, "")
    assert len(server.rows("select * from error_groups")) == 1


def test_other_records_are_declined(sender: Sender, server: Server) -> None:
    answer = sender.send(write(sender.encoding, Log(body="hello"), Log(FAILURE), Log({"a": 1})))
    rejected, reason = sender.read_partial(answer)
    assert rejected == 2
    assert "keeps only log records with exception.type" in reason
    assert [row["count"] for row in server.rows("select * from error_groups")] == [1]
    if sender.encoding == "json":
        assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "2"


def test_json_without_the_list_of_logs_is_a_warning(server: Server) -> None:
    sender = Sender(server, "json", server.make_key("errors:write"), "/v1/logs")
    assert sender.send(b"{}").json() == {}
    message = "Nothing was stored: the body has no resourceLogs (it has resource_logs)."
    answer = sender.send(b'{"resource_logs": []}')
    assert (answer.status_code, answer.json()) == (
        200,
        {"partialSuccess": {"errorMessage": message}},
    )
    [refusal] = server.rows("select * from refusals")
    assert (refusal["route"], refusal["message"]) == ("/v1/logs", message)


def test_a_retried_body_counts_once(sender: Sender, server: Server) -> None:
    bodies = [write(sender.encoding, Log(FAILURE, at=NOW_NS + n)) for n in (0, 1000)]
    for zipped in (False, True, False):
        for body in bodies:
            assert sender.send(body, zipped=zipped).status_code == 200
    assert [row["count"] for row in server.rows("select * from error_groups")] == [2]
    database = server.running.context.database
    server.clock.move(16 * MINUTE)
    server.run(database.write(database.telemetry.flush))
    sender.send(bodies[0])
    assert [row["count"] for row in server.rows("select * from error_groups")] == [3]


@pytest.mark.parametrize("body", [b"", None])
def test_nothing_is_a_success(sender: Sender, body: bytes | None) -> None:
    empty = write(sender.encoding) if body is None else body
    assert sender.read_partial(sender.send(empty)) == (0, "")


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics"])
def test_rubbish_is_refused(sender: Sender, path: str) -> None:
    sender.path = path
    answer = sender.send(b"rubbish")
    assert (answer.status_code, sender.read_status(answer)[0]) == (400, 3)


def test_keys(server: Server, encoding: str) -> None:
    sender = Sender(server, encoding, None, "/v1/logs")
    answer = sender.send(write(encoding, Log(FAILURE)))
    assert (answer.status_code, sender.read_status(answer)[0]) == (401, 16)
    sender.secret = server.make_key("deploys:write", "read")
    answer = sender.send(write(encoding, Log(FAILURE)))
    assert (answer.status_code, sender.read_status(answer)[0]) == (403, 7)
    assert "errors:write or traces:write" in sender.read_status(answer)[1]
    assert server.rows("select * from error_groups") == []


def test_when_there_is_no_room(sender: Sender, server: Server) -> None:
    budget = server.running.context.budget

    async def occupy(size: int) -> None:
        budget.taken = size

    server.run(occupy(DEFAULT_BYTES + ROOM_FOR_SMALL))
    for path in ("/v1/logs", "/v1/metrics"):
        sender.path = path
        answer = sender.send(write(sender.encoding, Log(FAILURE)))
        assert (answer.status_code, sender.read_status(answer)[0]) == (503, 14)
        assert int(answer.headers["retry-after"]) >= 1
    server.run(occupy(0))
    assert server.rows("select * from error_groups") == []


@pytest.mark.parametrize("scope", ["deploys:write", "traces:write", "errors:write", "read"])
@pytest.mark.parametrize("path", ["/v1/metrics", "/ingest/v1/metrics"])
def test_metrics_are_declined(server: Server, encoding: str, scope: str, path: str) -> None:
    sender = Sender(server, encoding, server.make_key(scope), path)
    answer = sender.send(write_metrics(encoding, 3), zipped=True)
    rejected, reason = sender.read_partial(answer)
    assert (rejected, "miniapm keeps no metrics" in reason) == (3, True)
    assert sender.read_partial(sender.send(write_metrics(encoding, 0))) == (0, "")
    assert sender.read_partial(sender.send(b"")) == (0, "")


def test_metrics_without_a_key(server: Server, encoding: str) -> None:
    sender = Sender(server, encoding, None, "/v1/metrics")
    answer = sender.send(write_metrics(encoding, 1))
    assert (answer.status_code, sender.read_status(answer)[0]) == (401, 16)
