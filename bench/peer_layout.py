"""The layout that peers use, end to end: one row per span that is unique by its ids, five indexes,
attributes and resource as JSON in each row; in the same SQLite, acknowledged after the same fsync.

Around that it is as good as it can be: uvicorn and collector set as ours, the fast protobuf
decoder, one prepared statement for all rows of a request, one transaction a request (such a peer
has one a span), a thread of its own that writes, a larger page cache than ours, and the resource
encoded once a request.
"""

import asyncio
import gc
import queue
import socket
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import uvicorn
import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.types import Receive, Scope, Send

from miniapm.app import GC_THRESHOLD, uvicorn_config
from miniapm.config import Config

_TABLES = """
create table spans (
    id integer primary key,
    trace_id text not null,
    span_id text not null,
    parent_span_id text,
    service text not null,
    env text not null,
    version text not null,
    scope text not null,
    name text not null,
    kind integer not null,
    category text not null,
    started_at integer not null,
    duration_us integer not null,
    status integer not null,
    http_method text,
    http_route text,
    http_status integer,
    db_statement text,
    attributes text not null,
    events text,
    resource text not null,
    unique (trace_id, span_id)
);
create index spans_started on spans (started_at);
create index spans_service on spans (service, started_at);
create index spans_category on spans (category);
create index spans_route on spans (http_route, started_at) where http_route is not null;
create index spans_duration on spans (duration_us);
"""
_INSERT = f"insert or ignore into spans values (null{', ?' * 20})"
_METHODS = ("http.request.method", "http.method")
_STATUSES = ("http.response.status_code", "http.status_code")
_STATEMENTS = ("db.query.text", "db.statement")
_DATABASES = ("db.system.name", "db.system")
_ENVIRONMENTS = ("deployment.environment.name", "deployment.environment")


class Body(NamedTuple):
    """What waits for the writing thread."""

    raw: bytes
    compressed: bool
    done: "asyncio.Future[int]"


def _read_value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def _read_attributes(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pair: KeyValue
    for pair in attributes:
        found[pair.key] = _read_value(pair.value)
    return found


def _first(attributes: Mapping[str, Any], names: tuple[str, str]) -> Any:
    found = attributes.get(names[0])
    return attributes.get(names[1]) if found is None else found


class PeerStore:
    """The file and the thread that writes it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[Body] = queue.SimpleQueue()

    def start(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, body: Body) -> None:
        self._waiting.put(body)

    def _work(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma cache_size = -65536")
        connection.execute("pragma temp_store = memory")
        connection.executescript(_TABLES)
        while True:
            body = self._waiting.get()
            status = 200
            try:
                self._store(connection, body)
            except Exception:
                connection.execute("rollback")
                status = 503
            body.done.get_loop().call_soon_threadsafe(body.done.set_result, status)

    def _store(self, connection: sqlite3.Connection, body: Body) -> None:
        connection.execute("begin immediate")
        raw = zlib.decompress(body.raw, 31) if body.compressed else body.raw
        request = ExportTraceServiceRequest.FromString(raw)
        connection.executemany(_INSERT, _read_rows(request))
        connection.execute("commit")


def _read_rows(request: ExportTraceServiceRequest) -> Iterator[tuple[Any, ...]]:
    for resource_spans in request.resource_spans:
        resource = _read_attributes(resource_spans.resource.attributes)
        names = (
            resource.get("service.name", ""),
            _first(resource, _ENVIRONMENTS) or "",
            resource.get("service.version", ""),
        )
        text = msgspec.json.encode(resource).decode()
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope.name
            for span in scope_spans.spans:
                yield _make_row(span, names, scope, text)


def _make_row(
    span: Span, names: tuple[str, str, str], scope: str, resource: str
) -> tuple[Any, ...]:
    attributes = _read_attributes(span.attributes)
    events = [
        {
            "name": event.name,
            "time": event.time_unix_nano,
            "attributes": _read_attributes(event.attributes),
        }
        for event in span.events
    ]
    return (
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex() or None,
        *names,
        scope,
        span.name,
        span.kind,
        _find_category(attributes),
        span.start_time_unix_nano // 1000,
        (span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
        span.status.code,
        _first(attributes, _METHODS),
        attributes.get("http.route"),
        _first(attributes, _STATUSES),
        _first(attributes, _STATEMENTS),
        msgspec.json.encode(attributes).decode(),
        msgspec.json.encode(events).decode() if events else None,
        resource,
    )


def _find_category(attributes: Mapping[str, Any]) -> str:
    if _first(attributes, _DATABASES):
        return "db"
    return "http" if _first(attributes, _METHODS) else "internal"


class PeerApp:
    """POST a protobuf body, get 200 once it is on disk."""

    def __init__(self, store: PeerStore) -> None:
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = []
        more = True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        compressed = (b"content-encoding", b"gzip") in scope["headers"]
        done = asyncio.get_running_loop().create_future()
        self._store.submit(Body(b"".join(parts), compressed, done))
        status = await done
        headers = [(b"content-length", b"0"), (b"content-type", b"application/x-protobuf")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def _serve() -> None:
    store = PeerStore("peer.db")
    store.start()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await uvicorn.Server(uvicorn_config(Config(), PeerApp(store))).serve(sockets=[listener])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `miniapm serve`
        runner.run(_serve())
