"""The spans of the calls that a request makes, as instrumentations report them."""

from functools import lru_cache
from typing import NamedTuple

from miniapm.domain.demo.attributes import Value
from miniapm.domain.demo.values import Call, Service

CLIENT, PRODUCER = 3, 4

_SCOPES: dict[tuple[Service, str], str] = {
    ("web", "server"): "opentelemetry.instrumentation.django",
    ("web", "postgresql"): "opentelemetry.instrumentation.psycopg",
    ("web", "redis"): "opentelemetry.instrumentation.redis",
    ("web", "http"): "opentelemetry.instrumentation.requests",
    ("web", "publish"): "opentelemetry.instrumentation.pika",
    ("worker", "server"): "@opentelemetry/instrumentation-amqplib",
    ("worker", "postgresql"): "@opentelemetry/instrumentation-pg",
    ("worker", "http"): "@opentelemetry/instrumentation-undici",
    ("worker", "publish"): "@opentelemetry/instrumentation-amqplib",
}


class CallSpan(NamedTuple):
    """What its span says of a call."""

    scope: str
    name: str
    kind: int
    attributes: tuple[tuple[str, Value], ...]


def find_scope(service: Service) -> str:
    """The instrumentation that reports what comes into a service."""
    return _SCOPES[service, "server"]


@lru_cache(maxsize=4096)
def describe_call(service: Service, call: Call, number: int) -> CallSpan:
    """The span of a call; `number` stands where its text has {}."""
    text = call.text.replace("{}", str(number))
    if call.kind == "http":
        return _describe_http(service, text)
    if call.kind == "publish":
        attributes = (
            ("messaging.system", "rabbitmq"),
            ("messaging.operation.type", "send"),
            ("messaging.destination.name", text),
        )
        return CallSpan(_SCOPES[service, "publish"], f"publish {text}", PRODUCER, attributes)
    system = "redis" if text.startswith("GET ") else "postgresql"
    scope = _SCOPES[service, system]
    return CallSpan(
        scope,
        _name_query(text),
        CLIENT,
        (("db.system.name", system), ("db.namespace", "shop"), ("db.query.text", text)),
    )


def _describe_http(service: Service, address: str) -> CallSpan:
    method = "POST" if address.endswith(("/charges", "/send", "/_search")) else "GET"
    host = address.split("/")[2].partition(":")[0]
    return CallSpan(
        _SCOPES[service, "http"],
        method,
        CLIENT,
        (
            ("http.request.method", method),
            ("url.full", address),
            ("server.address", host),
            ("http.response.status_code", 200),
        ),
    )


def _name_query(text: str) -> str:
    """The verb and the table, as instrumentations name queries."""
    words = text.split()
    behind = {"SELECT": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE"}.get(words[0])
    return f"{words[0]} {words[words.index(behind) + 1]}" if behind else words[0]
