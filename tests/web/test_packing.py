"""A server packs what was sent soon after: its pages show the same."""

from secrets import token_bytes

import pytest

from miniapm.domain.otlp.packing import is_packed
from miniapm.domain.spans.compression import decompress
from miniapm.storage.connection import Connection
from tests.conftest import Server
from tests.otlp import CLIENT, MS, NOW_NS, Group, Span
from tests.web.markup import parse_html
from tests.web.telemetry_sent import post_traces, run_job

TRACE = b"\x0a" * 16


def send(server: Server) -> None:
    root = token_bytes(8)
    spans = [Span(trace_id=TRACE, span_id=root, name="GET /products")]
    spans += [
        Span(
            trace_id=TRACE,
            span_id=token_bytes(8),
            parent_id=root,
            kind=CLIENT,
            name=f"SELECT {number}",
            start=NOW_NS + number * MS // 3,
            end=NOW_NS + number * MS,
        )
        for number in range(1, 40)
    ]
    post_traces(server, server.make_key("traces:write"), [Group(spans)])


def test_the_page_of_a_trace_is_the_same_when_it_is_packed(server: Server) -> None:
    send(server)
    browser = server.sign_in()
    page = f"/p/default/traces/{TRACE.hex()}"

    def show() -> list[str]:
        answer = browser.get(page)
        assert answer.status_code == 200
        table = parse_html(answer.text).one("table.waterfall tbody")
        return [row.text for row in table.select("tr")]

    before = show()
    assert len(before) == 40
    run_job(server, "pack spans")
    [batch] = server.rows("select format, span_count, body from span_batches")
    assert (batch["format"], batch["span_count"]) == ("protobuf", 40)
    assert is_packed(decompress(batch["body"]))
    assert show() == before


def test_a_body_that_is_damaged_costs_its_own_spans_alone(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    key = server.make_key("traces:write", "read")
    for number in (1, 2):
        span = Span(trace_id=TRACE, span_id=bytes([number]) * 8, name=f"GET /{number}")
        post_traces(server, key, [Group([span])])
    [first, _] = server.rows("select id from span_batches order by id")

    def damage(connection: Connection) -> None:
        connection.execute(
            "update span_batches set body = substr(body, 1, 12) where id = :id", {"id": first["id"]}
        )

    server.run(server.running.context.database.write(damage))
    answer = server.http.get(
        f"/api/v1/traces/{TRACE.hex()}", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 200
    told = answer.json()
    assert [span["name"] for span in told["spans"]] == ["GET /2"]
    assert told["is_complete"] is False
    assert f"the body of batch {first['id']} does not open" in caplog.text
    page = server.sign_in().get(f"/p/default/traces/{TRACE.hex()}")
    assert page.status_code == 200
    run_job(server, "pack spans")
