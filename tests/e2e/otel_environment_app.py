"""A shop under OpenTelemetry's Python SDK that knows of its collector from the environment alone:
`python -m tests.e2e.otel_environment_app`.

Carts are quick, the report is slow in its database, the price list is broken.
"""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.e2e.otel_python_app import Receive, Send, call

CARTS = 8
COUNT = "select count(*) from carts"
REPORT = """with recursive days(day) as (select 1 union all select day + 1 from days
    where day < 400000) select max(day) from days"""


def find_price(sku: str) -> int:
    return {"apple": 30}[sku]


def make_shop(connection: Any) -> Any:
    async def shop(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/prices":
            find_price("pear")
        statement = REPORT if scope["path"] == "/report" else COUNT
        connection.cursor().execute(statement).fetchone()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    return shop


async def use(shop: Any) -> None:
    for number in range(CARTS):
        await call(shop, f"/carts/{number}")
    await call(shop, "/report")
    with suppress(KeyError):
        await call(shop, "/prices")


def main() -> None:
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    connection = sqlite3.connect(":memory:")
    connection.execute("create table carts (id integer primary key)")
    traced = SQLite3Instrumentor().instrument_connection(connection, provider)
    asyncio.run(use(OpenTelemetryMiddleware(make_shop(traced), tracer_provider=provider)))
    provider.shutdown()


if __name__ == "__main__":
    main()
