"""Traces that a server was sent, as SDKs of two services send them."""

from typing import Any

from tests.conftest import Server
from tests.otlp import CLIENT, INTERNAL, MS, NOW_NS, Event, Group, Span
from tests.web.telemetry_sent import post_traces

TRACE = "a1b2c3d4" + "0" * 23 + "1"
ROOT, CALL, FOREIGN, BROKEN, QUERIES = b"\x01" * 8, b"\x02" * 8, b"\x03" * 8, b"\x04" * 8, 14
STACK = (
    'Traceback (most recent call last):\n  File "/app/pay/gateway.py", line 41, in charge\n'
    "    raise GatewayError(answer)\npay.GatewayError: no\n"
)


def span_id(number: int) -> bytes:
    return number.to_bytes(8)


def make_span(**fields: Any) -> Span:
    """A span of TRACE; `at` and `took` in ms from NOW_NS on."""
    at, took = fields.pop("at", 0), fields.pop("took", 10)
    start = NOW_NS + int(at * MS)
    defaults = {"trace_id": bytes.fromhex(TRACE), "start": start, "end": start + int(took * MS)}
    return Span(**{**defaults, **fields})


def make_shop() -> Group:
    """The first service's part: a request, 14 equal queries, a call of the second service."""
    http = {"http.request.method": "POST", "http.route": "/checkout",
            "http.response.status_code": 500}  # fmt: skip
    queries = [
        make_span(
            span_id=span_id(100 + n), parent_id=ROOT, name="SELECT items", kind=CLIENT,
            at=10 + n * 5, took=4,
            attributes={
                "db.system.name": "postgresql",
                "db.query.text": f"select * from items where order_id = {n}",
            },
        )
        for n in range(QUERIES)
    ]  # fmt: skip
    call = {"http.method": "POST", "http.url": "https://pay/charges/17?token=abcdefgh"}
    spans = [
        make_span(span_id=ROOT, took=400, attributes={**http, "http.request.header.cookie": "s=1"}),
        *queries,
        make_span(
            span_id=CALL, parent_id=ROOT, name="POST", kind=CLIENT, at=100, took=200,
            attributes=call,
        ),
    ]  # fmt: skip
    resource = {"service.name": "shop", "service.version": "v2", "host.name": "shop-1"}
    return Group(spans, resource, "psycopg")


def make_pay() -> Group:
    """The second service's part, by a clock that is five seconds slow: it failed."""
    told = {
        "exception.type": "pay.GatewayError",
        "exception.message": "declined password=hunter2",
        "exception.stacktrace": STACK,
    }
    spans = [
        make_span(
            span_id=FOREIGN, parent_id=CALL, name="POST /charges/{id}", at=-4890, took=180,
            attributes={"http.method": "POST", "http.route": "/charges/{id}"}, status=2,
        ),
        make_span(
            span_id=BROKEN, parent_id=FOREIGN, name="charge", kind=INTERNAL, at=-4880, took=100,
            events=[Event(attributes=told)], status=2, attributes={"card": "4111", "amount": 4200},
        ),
    ]  # fmt: skip
    return Group(spans, {"service.name": "pay", "deployment.environment": "staging"})


def send(server: Server, *groups: Group, as_json: bool = False, project: str = "default") -> None:
    """Sends one request."""
    key = server.make_key("traces:write", project=project)
    post_traces(server, key, groups, as_json=as_json)


def send_checkout(server: Server) -> None:
    """The whole trace: one service by protobuf, the other by JSON."""
    send(server, make_shop())
    send(server, make_pay(), as_json=True)
