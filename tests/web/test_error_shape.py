"""How the JSON family fails: one shape at every address, with the headers that belong to it."""

import socket
from typing import Any, NamedTuple

import httpx2
import pytest

from miniapm.domain.keys import SCOPES
from miniapm.web.auth import PUBLIC
from miniapm.web.ingest.deploys import explain_as_json
from miniapm.web.openapi_operations import OPERATIONS
from miniapm.web.routes import INGEST_ROUTES, ROUTES
from tests.conftest import Server

CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


class Address(NamedTuple):
    """A path of the JSON family, with the methods that it takes."""

    path: str
    methods: frozenset[str]
    is_public: bool
    takes_body: bool


def list_addresses() -> list[Address]:
    addresses = {}
    for ingest in INGEST_ROUTES:
        if ingest.explain is explain_as_json:
            addresses[ingest.path] = Address(ingest.path, frozenset({"POST"}), False, True)
    for route in ROUTES:
        if route.endpoint not in OPERATIONS:
            continue
        methods = frozenset({"GET", "HEAD"} if route.method == "GET" else {route.method})
        takes_body = OPERATIONS[route.endpoint].body is not None
        known = addresses.get(route.path, Address(route.path, frozenset(), True, False))
        addresses[route.path] = Address(
            route.path,
            known.methods | methods,
            known.is_public and route.access == PUBLIC,
            known.takes_body or takes_body,
        )
    return list(addresses.values())


def assert_shape(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert set(body) <= {"error", "message", "fields"}
    assert body["error"] == CODES[status]
    assert isinstance(body["message"], str)
    assert body["message"][-1] in ".!?"
    if "fields" in body:
        assert status == 400
        assert body["fields"]
        assert all(isinstance(reason, str) for reason in body["fields"].values())
    return body


def bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.make_key(*SCOPES)}"}


def test_without_a_key(server: Server) -> None:
    for address in list_addresses():
        for method in address.methods - {"HEAD"}:
            if address.is_public:
                continue
            answer = server.http.request(method, address.path.replace("{id}", "1"))
            assert_shape(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_with_a_key_that_may_not(server: Server) -> None:
    secrets = {scope: server.make_key(scope) for scope in ("traces:write", "errors:write")}
    for address in list_addresses():
        scope = "errors:write" if address.path == "/ingest/requests" else "traces:write"
        headers = {"Authorization": f"Bearer {secrets[scope]}"}
        for method in address.methods - {"HEAD"}:
            if not address.is_public:
                answer = server.http.request(
                    method, address.path.replace("{id}", "1"), headers=headers
                )
                assert_shape(answer, 403)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff", b'{"a": NaN}'])
def test_with_a_bad_body(server: Server, body: bytes) -> None:
    headers = bearer(server)
    server.http.post("/ingest/deploys", json={"git_sha": "abc1234"}, headers=headers)
    server.http.post("/ingest/errors", json={"error_type": "E", "message": "m"}, headers=headers)
    [deploy], [error] = (server.rows(f"select id from {t}") for t in ("deploys", "error_groups"))
    for address in list_addresses():
        for method in address.methods & {"POST", "PATCH"}:
            if address.takes_body:
                row = error if "/errors/" in address.path else deploy
                path = address.path.replace("{id}", str(row["id"]))
                answer = server.http.request(method, path, content=body, headers=headers)
                assert_shape(answer, 400)


def test_with_an_id_that_is_not_there(server: Server) -> None:
    headers = bearer(server)
    for address in list_addresses():
        if "{id}" in address.path:
            for method in address.methods - {"HEAD"}:
                path = address.path.replace("{id}", "1")
                assert_shape(server.http.request(method, path, json={}, headers=headers), 404)


def test_with_a_method_that_it_does_not_take(server: Server) -> None:
    for address in list_addresses():
        for method in set(EVERY_METHOD) - address.methods:
            answer = server.http.request(method, address.path.replace("{id}", "1"))
            assert answer.status_code == 405, (method, address.path)
            assert set(answer.headers["allow"].split(", ")) == address.methods
            if method != "HEAD":
                assert_shape(answer, 405)


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/v1", "/api/v1/nothing", "/api/v2/deploys", "/ingest/nothing", "/ingest/"],
)
def test_where_there_is_nothing(server: Server, path: str) -> None:
    assert_shape(server.http.get(path), 404)
    assert_shape(server.http.post(path, json={}), 404)


def test_a_missed_ingest_address_names_the_right_one(server: Server) -> None:
    body = assert_shape(server.http.post("/ingest/deploy", json={}), 404)
    assert body["message"] == "There is nothing at this address; deploys go to /ingest/deploys."
    elsewhere = assert_shape(server.http.post("/api/v1/nothing", json={}), 404)
    assert elsewhere["message"] == "There is nothing at this address."


def test_many_bad_fields_are_all_named(server: Server) -> None:
    answer = server.http.post(
        "/ingest/deploys", json={"version": 1, "env": 2, "status": "x"}, headers=bearer(server)
    )
    assert set(assert_shape(answer, 400)["fields"]) == {"git_sha", "version", "env", "status"}


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/deploys?q=\xff\xfe HTTP/1.1\r\nHost: a\r\n",
        b"GET /api/v1/deploys?q=%FF%FE HTTP/1.1\r\nHost: a\r\n",
        b"GET /api/v1/deploys/%FF HTTP/1.1\r\nHost: a\r\n",
        b"GET /api/v1/nothing HTTP/1.1\r\nHost: [\r\n",
        b"GET /api/v1/nothing HTTP/1.1\r\nHost: \xff\r\n",
        b"GET /api/v1/deploys/ HTTP/1.1\r\nHost: [\r\n",
        b"GET /api/v1/deploys/?\xff HTTP/1.1\r\nHost: a\r\n",
        b"GET /nothing?\xff HTTP/1.1\r\nHost: [\r\n",
        b"GET /p/default/deploys?\xff HTTP/1.1\r\nHost: [\r\n",
        b"GET /api/v1/deploys HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\xfe\r\n",
        b"GET /api/v1/deploys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer\r\n",
        b"GET /api/v1/deploys HTTP/1.1\r\nHost: a\r\nCookie: miniapm_session=\xff\r\n",
        b"GET /api/v1/deploys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer proj_\xe9\r\n",
        b"POST /ingest/deploys HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\r\nContent-Length: 0\r\n",
    ],
)
def test_odd_bytes_in_the_head_are_never_our_fault(server: Server, head: bytes) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    status = int(answer.split(b" ", 2)[1])
    assert 200 <= status < 500, answer
