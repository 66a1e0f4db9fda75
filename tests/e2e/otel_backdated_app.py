"""Two days of a shop's requests, sent now by OpenTelemetry's Python SDK with the times they had:
`otel_backdated_app.py URL KEY UNTIL DEPLOYED_AT FACTOR VERSIONS`.

Times are Unix seconds. From DEPLOYED_AT on `POST /checkout` takes FACTOR times as long, and the
service calls itself the second of VERSIONS, which a comma divides; "-" is none.
"""

import random
import sys
from collections.abc import Iterator
from math import log
from typing import NamedTuple

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

DAYS = 2
PER_MINUTE = 6
USUAL_US = {"POST /checkout": 200_000, "GET /carts/{id}": 40_000}
SECOND_NS = 1_000_000_000
BATCH = 5_000


class Request(NamedTuple):
    name: str
    start_ns: int
    end_ns: int


def list_requests(since: int, until: int, factor: float, seed: int) -> Iterator[Request]:
    """So many in each minute, log-normal around the usual time."""
    noise = random.Random(seed)  # noqa: S311 - noise, and the same each time
    for minute in range(since, until, 60):
        for name, usual in USUAL_US.items():
            by = factor if name == "POST /checkout" else 1.0
            for _ in range(PER_MINUTE):
                start = int((minute + noise.random() * 59) * SECOND_NS)
                duration = noise.lognormvariate(log(usual * by), 0.35)
                yield Request(name, start, start + int(duration * 1_000))


def send(url: str, key: str, version: str, requests: Iterator[Request]) -> None:
    attributes = {"service.name": "shop", "deployment.environment.name": "production"}
    if version != "-":
        attributes["service.version"] = version
    provider = TracerProvider(resource=Resource.create(attributes))
    exporter = OTLPSpanExporter(
        endpoint=f"{url}/v1/traces",
        headers={"authorization": f"Bearer {key}"},
        compression=Compression.Gzip,
    )
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=2 * BATCH, max_export_batch_size=BATCH)
    )
    tracer = provider.get_tracer("shop")
    for number, request in enumerate(requests):
        method, _, route = request.name.partition(" ")
        span = tracer.start_span(
            request.name,
            kind=SpanKind.SERVER,
            start_time=request.start_ns,
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": 200,
            },
        )
        span.end(end_time=request.end_ns)
        if number % BATCH == 0:
            provider.force_flush()
    provider.shutdown()


def main() -> None:
    url, key, until_text, deployed_text, factor, versions = sys.argv[1:]
    until, deployed_at = int(until_text), int(deployed_text)
    before, after = versions.split(",")
    since = until - DAYS * 24 * 3600
    send(url, key, before, list_requests(since, deployed_at, 1.0, seed=1))
    send(url, key, after, list_requests(deployed_at, until, float(factor), seed=2))


if __name__ == "__main__":
    main()
