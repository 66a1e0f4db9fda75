"""Requests as spans, in the bodies that an exporter would send."""

from collections import deque
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from miniapm.clock import MINUTE
from miniapm.domain.demo.attributes import Value, write_attributes
from miniapm.domain.demo.calls import PRODUCER, describe_call, find_scope
from miniapm.domain.demo.values import Call, Endpoint, Fault
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.spans.values import ReleaseName

SERVER, CONSUMER = 2, 5
_ERROR = 2
_MOST_SPANS = 1500
_MOST_LINKS = 200
_PODS = 3
_IDS = 90_000
# between a message that is sent and its being taken up
_DELIVERED = (8_000, 90_000)


class Parent(NamedTuple):
    """The span that a message came from, and when it was sent (µs)."""

    trace_id: bytes
    span_id: bytes
    sent_at: int


class Request(NamedTuple):
    """A request to be told in spans; times in µs."""

    endpoint: Endpoint
    calls: tuple[Call, ...]
    started_at: int
    duration_us: int
    fault: Fault | None


class TraceWriter:
    """Collects spans and gives bodies. Messages that requests send are taken up by later ones."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._spans: dict[ReleaseName, dict[str, list[Any]]] = {}
        self._sent: dict[str, deque[Parent]] = {}
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to `take`."""
        return self._count >= _MOST_SPANS

    def take(self) -> list[bytes]:
        """What was collected, a body for each release."""
        bodies = [self._write(release, scopes) for release, scopes in self._spans.items()]
        self._spans.clear()
        self._count = 0
        return bodies

    def add(self, release: ReleaseName, request: Request) -> None:
        """Collects the spans of a request."""
        endpoint = request.endpoint
        number = int(self._rng.random() * _IDS) + 1000
        started = request.started_at
        trace_id, parent_id = self._rng.randbytes(16), b""
        if endpoint.service == "worker":
            parent = self._find_parent(f"{release.env} {endpoint.path}", started)
            if parent is not None:
                trace_id, parent_id, sent_at = parent
                started = sent_at + self._rng.randrange(*_DELIVERED)
        span_id = self._rng.randbytes(8)
        took = request.duration_us
        self._add_span(
            release,
            find_scope(endpoint.service),
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=parent_id,
            name=endpoint.name.encode(),
            kind=SERVER if endpoint.service == "web" else CONSUMER,
            start_time_unix_nano=started * 1000,
            end_time_unix_nano=(started + took) * 1000,
            attributes=write_attributes(_describe(endpoint, number, request.fault)),
            events=[_write_event(request.fault, started + took)] if request.fault else [],
            status=load_schema().Status(code=_ERROR).SerializeToString() if request.fault else b"",
        )
        for call in request.calls:
            self._add_calls(release, endpoint, call, number, trace_id, span_id, started, took)

    def _add_calls(
        self,
        release: ReleaseName,
        endpoint: Endpoint,
        call: Call,
        number: int,
        trace_id: bytes,
        parent_id: bytes,
        started: int,
        took: int,
    ) -> None:
        told = describe_call(endpoint.service, call, number if "{}" in call.text else 0)
        attributes = write_attributes(told.attributes)
        length = (call.end - call.begin) * took / call.times
        for place in range(call.times):
            begin = started + int(call.begin * took + place * length)
            span_id = self._rng.randbytes(8)
            end = begin + int(length * (0.82 + 0.15 * self._rng.random()))
            self._add_span(
                release,
                told.scope,
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=parent_id,
                name=told.name.encode(),
                kind=told.kind,
                start_time_unix_nano=begin * 1000,
                end_time_unix_nano=end * 1000,
                attributes=attributes,
            )
            if told.kind == PRODUCER:
                sent = self._sent.setdefault(
                    f"{release.env} {call.text}", deque(maxlen=_MOST_LINKS)
                )
                sent.append(Parent(trace_id, span_id, end))

    def _find_parent(self, topic: str, at: int) -> Parent | None:
        """The message that waits longest, if it was sent just now."""
        waiting = self._sent.get(topic, deque())
        while waiting:
            parent = waiting.popleft()
            if abs(parent.sent_at - at) < MINUTE:
                return parent
        return None

    def _add_span(self, release: ReleaseName, scope: str, **fields: Any) -> None:
        scopes = self._spans.setdefault(release, {})
        scopes.setdefault(scope, []).append(load_schema().Span(**fields))
        self._count += 1

    def _write(self, release: ReleaseName, scopes: dict[str, list[Any]]) -> bytes:
        schema = load_schema()
        request = schema.TracesRequest()
        resource_spans = request.resource_spans.add()
        pod = f"{release.service}-{self._rng.randrange(_PODS)}"
        resource_spans.resource = schema.Resource(
            attributes=write_attributes(_describe_process(release, pod))
        ).SerializeToString()
        for scope, spans in scopes.items():
            scope_spans = resource_spans.scope_spans.add()
            scope_spans.scope = schema.Scope(name=scope.encode()).SerializeToString()
            scope_spans.spans.extend(spans)
        body: bytes = request.SerializeToString()
        return body


def _describe(endpoint: Endpoint, number: int, fault: Fault | None) -> Iterator[tuple[str, Value]]:
    if endpoint.service == "worker":
        yield "messaging.system", "rabbitmq"
        yield "messaging.operation.type", "process"
        yield "messaging.destination.name", endpoint.path
        return
    method, _, route = endpoint.name.partition(" ")
    yield "http.request.method", method
    yield "http.route", route
    yield "url.path", endpoint.path.replace("{}", str(number))
    yield "server.address", "shop.example.com"
    yield "http.response.status_code", 500 if fault else 200
    if method == "POST":
        yield "enduser.id", f"customer-{number % 4000}"


def _describe_process(release: ReleaseName, pod: str) -> Sequence[tuple[str, Value]]:
    return (
        ("service.name", release.service),
        ("deployment.environment.name", release.env),
        ("service.version", release.version),
        ("vcs.ref.head.revision", release.revision),
        ("service.instance.id", pod),
        ("telemetry.sdk.language", "python" if release.service == "web" else "nodejs"),
    )


def _write_event(fault: Fault, at: int) -> bytes:
    attributes = (
        ("exception.type", fault.exception_class),
        ("exception.message", fault.message),
        ("exception.stacktrace", fault.stacktrace),
    )
    event: bytes = (
        load_schema()
        .Event(
            time_unix_nano=at * 1000,
            name=b"exception",
            attributes=write_attributes(attributes),
        )
        .SerializeToString()
    )
    return event
