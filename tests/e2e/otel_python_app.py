"""A small shop under OpenTelemetry's Python SDK: `otel_python_app.py URL KEY EXPORTER`.

EXPORTER is protobuf, gzip or json. An ASGI application asks a SQLite database; one of its addresses
is broken. Everything is exported before the program ends.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def make_exporter(url: str, key: str, kind: str) -> SpanExporter:
    endpoint, headers = f"{url}/v1/traces", {"authorization": f"Bearer {key}"}
    if kind == "json":
        return JsonExporter(endpoint=endpoint, headers=headers)
    compression = Compression.Gzip if kind == "gzip" else Compression.NoCompression
    return OTLPSpanExporter(endpoint=endpoint, headers=headers, compression=compression)


def make_application(connection: Any) -> Any:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/broken":
            raise KeyError("sku")
        for _ in range(2):
            connection.cursor().execute("select count(*) from carts").fetchone()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    return application


async def call(application: Any, path: str) -> None:
    """Asks the application as a server would."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"shop.example.com")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 5000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    await application(scope, receive, send)


async def use(application: Any) -> None:
    for number in (17, 18, 19):
        await call(application, f"/carts/{number}")
    try:
        await call(application, "/broken")
    except KeyError:
        return
    raise AssertionError("it is not broken")


def main() -> None:
    url, key, kind = sys.argv[1:]
    resource = Resource.create(
        {
            "service.name": "carts",
            "service.version": "2026.1",
            "deployment.environment.name": "staging",
            "vcs.ref.head.revision": "abc1234",
        }
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(make_exporter(url, key, kind)))
    connection = sqlite3.connect(":memory:")
    connection.execute("create table carts (id integer primary key)")
    traced = SQLite3Instrumentor().instrument_connection(connection, provider)
    application = OpenTelemetryMiddleware(make_application(traced), tracer_provider=provider)
    asyncio.run(use(application))
    provider.shutdown()


if __name__ == "__main__":
    main()
