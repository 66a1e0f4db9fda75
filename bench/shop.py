"""A made-up web application: what its processes would report, as values that any encoding can take.

A request is a server span with about ten children (60 % SQL, 20 % Redis, 10 % templates, 10 % HTTP
calls), with the attributes that SDKs send; half of the processes speak the old conventions and half
the stable ones. All that differs from request to request in life is random here, too.
"""

from collections.abc import Mapping, Sequence
from math import exp
from random import Random
from typing import NamedTuple

Attributes = Mapping[str, str | int]

INTERNAL, SERVER, CLIENT = 1, 2, 3
MILLISECOND = 1_000_000
REQUESTS_PER_SECOND = 50
FAILED_SHARE = 0.01
REMOTE_PARENT_SHARE = 0.1


class Process(NamedTuple):
    """One instance of a service. `stable` tells which conventions its SDK speaks."""

    service: str
    stable: bool
    resource: Attributes


class Span(NamedTuple):
    """Instants in ns since the pool's beginning; `request_start` is that of the server span."""

    scope: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int
    request_start: int
    start: int
    end: int
    attributes: Attributes
    exception: Attributes | None = None


class Route(NamedTuple):
    method: str
    path: str
    median_ms: float


_NOUNS = (
    "orders",
    "products",
    "users",
    "carts",
    "invoices",
    "shipments",
    "reviews",
    "coupons",
    "categories",
    "payments",
)
ROUTES: Sequence[Route] = tuple(
    Route(method, path.format(noun=noun), 6 + 11 * ((number * 7 + shape * 13) % 23))
    for number, noun in enumerate(_NOUNS)
    for shape, (method, path) in enumerate(
        (
            ("GET", "/api/{noun}"),
            ("GET", "/api/{noun}/{{id}}"),
            ("POST", "/api/{noun}"),
            ("PUT", "/api/{noun}/{{id}}/state"),
        )
    )
)
_WEIGHTS = [1 / rank for rank in range(1, len(ROUTES) + 1)]

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "okhttp/4.12.0",
)
_STATEMENTS = (
    (
        "SELECT",
        "SELECT {table}.id, {table}.created_at, {table}.state, {table}.total_cents FROM {table}"
        " WHERE {table}.account_id = %s ORDER BY {table}.created_at DESC LIMIT %s",
    ),
    ("SELECT", "SELECT * FROM {table} WHERE id = %s"),
    ("UPDATE", "UPDATE {table} SET state = %s, updated_at = %s WHERE id = %s"),
)
_ERRORS = (
    ("sqlalchemy.exc.OperationalError", "could not connect to server: Connection refused"),
    ("ValueError", "invalid literal for int() with base 10: 'undefined'"),
    ("KeyError", "'shipping_address'"),
    ("requests.exceptions.ReadTimeout", "HTTPSConnectionPool(host='pay.example', port=443)"),
    ("TypeError", "unsupported operand type(s) for +: 'NoneType' and 'int'"),
)


def make_processes(random: Random) -> list[Process]:
    """Two instances of each of three services: the newer SDK rolls out."""
    return [
        _make_process(random, service, number, stable)
        for number, service in enumerate(("shop-web", "shop-api", "shop-admin"))
        for stable in (False, True)
    ]


def _make_process(random: Random, service: str, number: int, stable: bool) -> Process:
    pod = f"{service}-{_hex(random, 5)}-{_hex(random, 3)}"
    env = "deployment.environment.name" if stable else "deployment.environment"
    resource: Attributes = {
        "service.name": service,
        "service.namespace": "shop",
        "service.version": f"2026.11.{number + 3}",
        "service.instance.id": f"{_hex(random, 4)}-{_hex(random, 2)}-{_hex(random, 6)}",
        env: "production",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.38.0" if stable else "1.24.0",
        "host.name": pod,
        "host.arch": "amd64",
        "os.type": "linux",
        "process.pid": random.randint(2, 30_000),
        "process.runtime.name": "cpython",
        "process.runtime.version": "3.12.11",
        "vcs.ref.head.revision": _hex(random, 20),
    }
    return Process(service, stable, resource)


def make_request(random: Random, process: Process, start: int) -> list[Span]:
    """The spans of one request that begins at `start`, its server span last."""
    [route] = random.choices(ROUTES, _WEIGHTS)
    failed = random.random() < FAILED_SHARE
    trace_id, root_id = random.randbytes(16), random.randbytes(8)
    took = int(route.median_ms * MILLISECOND * exp(random.gauss(0, 0.5)))
    spans = _make_children(random, process, route, (trace_id, root_id), start, took)
    remote = random.random() < REMOTE_PARENT_SHARE
    spans.append(
        Span(
            "opentelemetry.instrumentation.flask",
            trace_id,
            root_id,
            random.randbytes(8) if remote else b"",
            f"{route.method} {route.path}",
            SERVER,
            start,
            start,
            start + took,
            _server_attributes(random, process.stable, route, 500 if failed else 200),
            _make_exception(random, route) if failed else None,
        )
    )
    return spans


def _make_children(
    random: Random,
    process: Process,
    route: Route,
    ids: tuple[bytes, bytes],
    request_start: int,
    took: int,
) -> list[Span]:
    count = random.randint(4, 16)
    # each child has its place in the request and fills a part of it
    room = took // count
    spans = []
    for number in range(count):
        start = request_start + number * room + random.randrange(room // 4 + 1)
        scope, name, kind, attributes = _make_call(random, process.stable, route)
        spans.append(
            Span(
                scope,
                ids[0],
                random.randbytes(8),
                ids[1],
                name,
                kind,
                request_start,
                start,
                start + int(room * random.uniform(0.05, 0.7)),
                attributes,
            )
        )
    return spans


def _make_call(random: Random, stable: bool, route: Route) -> tuple[str, str, int, Attributes]:
    """Scope, name, kind and attributes of a child."""
    sort = random.random()
    if sort < 0.6:
        operation, text = random.choice(_STATEMENTS)
        # a request asks for its own things, and who is asking
        table = "users" if random.random() < 0.3 else route.path.split("/")[2]
        return (
            "opentelemetry.instrumentation.psycopg2",
            f"{operation} {table}",
            CLIENT,
            _sql_attributes(stable, text.format(table=table)),
        )
    if sort < 0.8:
        command = random.choice(("GET", "SETEX", "HGETALL", "EXPIRE"))
        statement = f"{command} cache:{random.choice(_NOUNS)}:{random.randrange(1_000_000)}"
        return (
            "opentelemetry.instrumentation.redis",
            command,
            CLIENT,
            _redis_attributes(stable, command, statement),
        )
    if sort < 0.9:
        template = route.path.split("/")[2] + random.choice(("/index.html", "/show.html"))
        return (
            "opentelemetry.instrumentation.jinja2",
            "jinja2.render",
            INTERNAL,
            {"jinja2.template_name": template, "jinja2.template_path": f"/app/views/{template}"},
        )
    return (
        "opentelemetry.instrumentation.requests",
        "GET",
        CLIENT,
        _http_attributes(random, stable),
    )


def _server_attributes(random: Random, stable: bool, route: Route, status: int) -> Attributes:
    """13 of them, in either convention."""
    path = route.path.replace("{id}", str(random.randrange(1, 5_000_000)))
    agent, port = random.choice(_AGENTS), random.randint(1024, 65_535)
    client = ".".join(str(random.randint(1, 254)) for _ in range(4))
    if stable:
        return {
            "http.request.method": route.method,
            "url.scheme": "https",
            "url.path": path,
            "http.route": route.path,
            "http.response.status_code": status,
            "network.protocol.version": "1.1",
            "user_agent.original": agent,
            "server.address": "shop.example.com",
            "server.port": 443,
            "client.address": client,
            "client.port": port,
            "network.peer.address": f"10.1.{random.randrange(256)}.{random.randrange(256)}",
            "network.peer.port": random.randint(1024, 65_535),
        }
    return {
        "http.method": route.method,
        "http.scheme": "https",
        "http.target": path,
        "http.route": route.path,
        "http.status_code": status,
        "http.flavor": "1.1",
        "http.user_agent": agent,
        "http.host": "shop.example.com",
        "http.server_name": "shop.example.com",
        "http.client_ip": client,
        "net.host.port": 443,
        "net.peer.ip": f"10.1.{random.randrange(256)}.{random.randrange(256)}",
        "net.peer.port": port,
    }


def _sql_attributes(stable: bool, text: str) -> Attributes:
    if stable:
        return {
            "db.system.name": "postgresql",
            "db.namespace": "shop",
            "db.query.text": text,
            "db.operation.name": text.split(" ", 1)[0],
            "server.address": "db.internal",
            "server.port": 5432,
        }
    return {
        "db.system": "postgresql",
        "db.name": "shop",
        "db.statement": text,
        "db.user": "shop",
        "net.peer.name": "db.internal",
        "net.peer.port": 5432,
    }


def _redis_attributes(stable: bool, command: str, statement: str) -> Attributes:
    if stable:
        return {
            "db.system.name": "redis",
            "db.operation.name": command,
            "db.query.text": statement,
            "server.address": "cache.internal",
            "server.port": 6379,
        }
    return {
        "db.system": "redis",
        "db.redis.database_index": 0,
        "db.statement": statement,
        "net.peer.name": "cache.internal",
        "net.peer.port": 6379,
    }


def _http_attributes(random: Random, stable: bool) -> Attributes:
    host = random.choice(("inventory.prod.internal", "pay.example", "mail.example"))
    url = f"https://{host}/v2/items/{random.randrange(10_000_000)}?expand=price"
    if stable:
        return {
            "http.request.method": "GET",
            "url.full": url,
            "http.response.status_code": 200,
            "server.address": host,
            "server.port": 443,
            "network.protocol.version": "1.1",
        }
    return {
        "http.method": "GET",
        "http.url": url,
        "http.status_code": 200,
        "net.peer.name": host,
        "net.peer.port": 443,
        "http.flavor": "1.1",
    }


def _make_exception(random: Random, route: Route) -> Attributes:
    """The attributes of an exception event, with a stack trace of about 2.2 KB."""
    kind, message = random.choice(_ERRORS)
    noun = route.path.split("/")[2]
    frames = "".join(
        f'  File "/app/shop/{noun}/{part}.py", line {40 + number * 13}, in {part}_{noun}\n'
        f"    result = self.{part}.call(request, {noun}_id=kwargs['id'], retry={number})\n"
        for number, part in enumerate(("views", "service", "model", "query", "pool") * 3)
    )
    return {
        "exception.type": kind,
        "exception.message": f"{message} ({random.randrange(1_000_000)})",
        "exception.stacktrace": f"Traceback (most recent call last):\n{frames}{kind}: {message}\n",
        "exception.escaped": "False",
    }


def _hex(random: Random, size: int) -> str:
    return random.randbytes(size).hex()
