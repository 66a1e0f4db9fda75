"""A payment under OpenTelemetry's Python SDK, told by its log: `otel_logs_app.py URL KEY WHAT...`.

Of WHAT, `line` logs what is no exception, `logged` an exception in a span, `both` one that its span
reports as well, `renamed` such a one of a class of its own, `deep` one that is logged where it is
caught and goes on. Printed are the span of `logged`, and of each answer about logs how many records
were declined, and why.
"""

import logging
import sys
from contextlib import suppress
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Tracer, format_span_id, format_trace_id, get_current_span

logger = logging.getLogger("payments")


class CardError(Exception):
    """The application's own."""


def find_rate(currency: str) -> float:
    return {"EUR": 1.0}[currency]


def charge(currency: str) -> None:
    try:
        find_rate(currency)
    except KeyError:
        logger.exception("the charge failed")
        raise


def refuse_card() -> None:
    raise CardError("card declined")


def log_one(tracer: Tracer) -> None:
    with tracer.start_as_current_span("charge"):
        print_span()
        try:
            find_rate("XXX")
        except KeyError:
            logger.exception("the charge failed")


def log_both(tracer: Tracer) -> None:
    with tracer.start_as_current_span("charge") as span:
        try:
            find_rate("XXX")
        except KeyError as error:
            span.record_exception(error)
            logger.exception("the charge failed")


def log_renamed(tracer: Tracer) -> None:
    with tracer.start_as_current_span("charge") as span:
        try:
            refuse_card()
        except CardError as error:
            span.record_exception(error)
            logger.exception("the charge failed")


def log_deep(tracer: Tracer) -> None:
    with suppress(KeyError), tracer.start_as_current_span("charge"):
        charge("XXX")


def print_span() -> None:
    span = get_current_span().get_span_context()
    print("span", format_trace_id(span.trace_id), format_span_id(span.span_id))


def print_answer(response: requests.Response, *_: Any, **__: Any) -> None:
    answer = ExportLogsServiceResponse.FromString(response.content).partial_success
    print("answer", response.status_code, answer.rejected_log_records, answer.error_message)


def main() -> None:
    url, key, *wanted = sys.argv[1:]
    headers = {"authorization": f"Bearer {key}"}
    resource = Resource.create({"service.name": "payments", "service.version": "7"})
    logs, traces = LoggerProvider(resource=resource), TracerProvider(resource=resource)
    session = requests.Session()
    session.hooks["response"].append(print_answer)
    log_exporter = OTLPLogExporter(f"{url}/v1/logs", headers=headers, session=session)
    logs.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    span_exporter = OTLPSpanExporter(f"{url}/v1/traces", headers=headers)
    traces.add_span_processor(SimpleSpanProcessor(span_exporter))
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=logs))
    tracer = traces.get_tracer("payments")
    deeds = {"logged": log_one, "both": log_both, "renamed": log_renamed, "deep": log_deep}
    for what in wanted:
        if what == "line":
            logger.info("a payment of 12.50 went through")
        else:
            deeds[what](tracer)
    traces.shutdown()
    logs.shutdown()


if __name__ == "__main__":
    main()
