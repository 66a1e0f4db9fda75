"""`POST /ingest/deploys`: the answer, and the row that it left."""

import gzip
import json
import socket
import threading
import zlib
from typing import Any

import httpx2
import pytest

from miniapm.clock import HOUR, MINUTE, SECOND
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.deploys.timeouts import time_out_started
from tests.conftest import Server

SHA = "abc123def456789"


def post(server: Server, key: str, **fields: object) -> httpx2.Response:
    return server.http.post(
        "/ingest/deploys", json=fields, headers={"Authorization": f"Bearer {key}"}
    )


def send(
    server: Server, key: str, body: bytes | str, path: str = "/ingest/deploys", **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.post(path, content=body, headers={"Authorization": f"Bearer {key}", **named})


def deploys(server: Server) -> list[dict[str, Any]]:
    return server.rows("select * from deploys order by deployed_at, id")


def test_it_stores_a_deploy_and_shows_it(server: Server) -> None:
    key = server.make_key()
    answer = send(
        server,
        key,
        '{"git_sha": "abc123def456789", "version": "v1.2.3", "deployer": "ci"}',
        Content_Type="application/x-www-form-urlencoded",
    )
    assert (answer.status_code, answer.content) == (202, b"")
    [row] = deploys(server)
    assert answer.headers["location"] == f"/p/default/deploys/{row['id']}"
    assert (row["git_sha"], row["version"], row["deployer"]) == ("abc123def456789", "v1.2.3", "ci")
    assert (row["env"], row["service"], row["status"]) == ("production", "default", "succeeded")
    assert row["deployed_at"] == server.clock()
    page = server.sign_in().get("/p/default/deploys")
    assert "v1.2.3" in page.text


def test_every_field_is_stored(server: Server) -> None:
    fields = {
        "git_sha": SHA,
        "version": "v1",
        "environment": "staging",
        "service": "web",
        "deployer": "ci",
        "description": "d",
        "title": "t",
        "tags": "b, a",
        "deployed_at": "2024-01-15T14:30:00Z",
        "started_at": "2024-01-15T14:20:00Z",
        "status": "failed",
        "url": "https://ci/1",
        "repository": "git@host:a/b",
        "id": "run-1",
        "commits": [{"sha": "c1", "timestamp": 1705329000, "message": "m", "author": "a"}],
    }
    assert post(server, server.make_key(), **fields).status_code == 202
    [row] = deploys(server)
    copied = ("git_sha", "version", "service", "deployer", "description", "title", "status", "url")
    assert {name: row[name] for name in copied} == {name: fields[name] for name in copied}
    assert (row["env"], row["repository"], row["external_id"]) == (
        "staging",
        "git@host:a/b",
        "run-1",
    )
    assert row["deployed_at"] == 1_705_329_000 * SECOND
    assert row["started_at"] == row["deployed_at"] - 10 * MINUTE
    tags = server.rows("select tag from deploy_tags order by position")
    assert [tag["tag"] for tag in tags] == ["b", "a"]
    assert server.rows("select sha, message, author, committed_at from deploy_commits") == [
        {"sha": "c1", "message": "m", "author": "a", "committed_at": 1_705_329_000 * SECOND}
    ]


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "text/plain", "multipart/form-data; boundary=x", "nonsense"],
)
def test_any_content_type_is_read_as_json(server: Server, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content_Type": content_type}
    assert send(server, server.make_key(), f'{{"git_sha": "{SHA}"}}', **headers).status_code == 202


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"\xff", "not UTF-8"),
        (b'{"git_sha": NaN}', "NaN"),
        (b'{"git_sha": "a", "git_sha": "a"}', "twice"),
        (b"[" * 300_000, "nested too deeply"),
        (b'{"x": ' + b"[" * 300_000, "nested too deeply"),
        (b'{"x": ' + b"9" * 500_000 + b"}", "too many digits"),
        (b"git_sha=abc", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"git_sha": "\\u0000"}', "control character"),
        (b'{"git_sha": "a", "status": "\\ud800"}', "control character"),
        (b'{"git_sha": "a", "timestamp": 1e400}', "ISO 8601"),
        (b'{"git_sha": "a", "timestamp": 1%s}' % (b"0" * 400), "ISO 8601"),
    ],
)
def test_bad_bodies_are_400_in_one_shape(server: Server, body: bytes, words: str) -> None:
    answer = send(server, server.make_key(), body)
    assert answer.status_code == 400
    told = answer.json()
    assert told["error"] == "invalid"
    assert words in told["message"]
    assert set(told) <= {"error", "message", "fields"}
    assert deploys(server) == []


def test_every_bad_field_is_named(server: Server) -> None:
    answer = post(
        server, server.make_key(), environment=5, version="${V}", timestamp="soon", tags=[1]
    )
    assert set(answer.json()["fields"]) == {
        "git_sha",
        "environment",
        "version",
        "timestamp",
        "tags",
    }


def test_the_limit_is_a_mebibyte(server: Server) -> None:
    key = server.make_key()
    fits = json.dumps({"git_sha": SHA, "x": ""}).encode()
    fits = fits.replace(b'""', b'"' + b"x" * (2**20 - len(fits)) + b'"')
    assert len(fits) == 2**20
    assert send(server, key, fits).status_code == 202
    answer = send(server, key, fits + b" ")
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def raw(server: Server, request: bytes) -> bytes:
    """The first of what the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), 10) as sock:
        sock.sendall(request)
        return sock.recv(65536)


def test_a_chunked_body_has_the_same_limit(server: Server) -> None:
    head = (
        f"POST /ingest/deploys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.make_key()}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    body = b'{"git_sha": "abc"}'
    small = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert raw(server, small).startswith(b"HTTP/1.1 202")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert raw(server, head + chunk * 17).startswith(b"HTTP/1.1 413")


def test_a_declared_length_is_refused_before_it_is_read(server: Server) -> None:
    head = (
        f"POST /ingest/deploys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.make_key()}\r\n"
        "Content-Length: 99999999999\r\n\r\n{"
    ).encode()
    assert raw(server, head).startswith(b"HTTP/1.1 413")


class TestGzip:
    def send(self, server: Server, body: bytes, encoding: str = "gzip") -> httpx2.Response:
        return send(server, server.make_key(), body, Content_Encoding=encoding)

    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
    def test_it_is_inflated(self, server: Server, encoding: str) -> None:
        answer = self.send(server, gzip.compress(b'{"git_sha": "abc"}'), encoding)
        assert answer.status_code == 202
        assert deploys(server)[0]["git_sha"] == "abc"

    def test_a_bomb_is_too_large(self, server: Server) -> None:
        bomb = gzip.compress(b" " * (64 * 2**20))
        assert len(bomb) < 100_000
        assert self.send(server, bomb).status_code == 413

    @pytest.mark.parametrize(
        "body",
        [
            b"not gzip",
            gzip.compress(b'{"git_sha": "abc"}', mtime=0)[:-9],
            gzip.compress(b'{"git_sha": "abc"}', mtime=0) + b"more",
            zlib.compress(b'{"git_sha": "abc"}'),
            b"",
        ],
    )
    def test_what_is_no_gzip_is_invalid(self, server: Server, body: bytes) -> None:
        assert self.send(server, body).status_code == 400
        assert deploys(server) == []

    def test_other_encodings_are_named(self, server: Server) -> None:
        answer = self.send(server, b"{}", "br")
        assert answer.status_code == 400
        assert "gzip" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/ingest/deploys", "/deployments"])
def test_other_methods_are_405_with_allow(server: Server, method: str, path: str) -> None:
    answer = server.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["//ingest/deploys", "////ingest/deploys", "/ingest/deploys/"])
def test_leading_slashes_and_one_at_the_end_are_dropped(server: Server, path: str) -> None:
    key = server.make_key()
    request = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 18\r\n\r\n"
        '{"git_sha": "abc"}'
    )
    assert raw(server, request.encode()).startswith(b"HTTP/1.1 202")


def test_every_answer_has_the_security_headers(server: Server) -> None:
    for answer in (
        post(server, server.make_key(), git_sha=SHA),
        post(server, server.make_key()),
        post(server, "unknown"),
        server.http.get("/ingest/deploys"),
        server.http.post("/deployments"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def test_five_roles_at_once_are_one_deploy(server: Server) -> None:
    key = server.make_key()
    barrier = threading.Barrier(5)
    statuses: list[int] = []

    def role(number: int) -> None:
        with httpx2.Client(base_url=server.url) as http:
            for status in ("started", "succeeded"):
                barrier.wait(10)
                answer = http.post(
                    "/ingest/deploys",
                    json={"git_sha": SHA, "status": status, "deployer": f"role-{number}"},
                    headers={"Authorization": f"Bearer {key}"},
                )
                statuses.append(answer.status_code)

    threads = [threading.Thread(target=role, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [202] * 10
    [row] = deploys(server)
    assert (row["git_sha"], row["status"]) == (SHA, "succeeded")


def test_a_repeat_answers_with_the_same_deploy(server: Server) -> None:
    key = server.make_key()
    first = post(server, key, git_sha=SHA)
    server.clock.move(9 * MINUTE)
    again = post(server, key, git_sha=SHA, title="filled in")
    assert first.headers["location"] == again.headers["location"]
    assert [row["title"] for row in deploys(server)] == ["filled in"]
    server.clock.move(MINUTE)
    assert post(server, key, git_sha=SHA).headers["location"] != first.headers["location"]


def test_a_retry_after_failure_is_a_new_deploy(server: Server) -> None:
    key = server.make_key()
    for status in ("started", "failed", "started", "succeeded"):
        assert post(server, key, git_sha=SHA, status=status).status_code == 202
        server.clock.move(MINUTE)
    assert [(row["status"]) for row in deploys(server)] == ["failed", "succeeded"]


def test_a_start_without_an_end_times_out(server: Server) -> None:
    key = server.make_key()
    post(server, key, git_sha=SHA, status="started")
    began = server.clock()
    server.clock.move(HOUR)
    write = server.running.context.database.write
    assert server.run(write(time_out_started, HOUR, server.clock())) == 1
    server.clock.move(MINUTE)
    post(server, key, git_sha=SHA)
    assert [(row["status"], row["deployed_at"]) for row in deploys(server)] == [
        ("timed_out", began + HOUR),
        ("succeeded", server.clock()),
    ]


def test_the_same_id_corrects_what_was_said(server: Server) -> None:
    key = server.make_key()
    post(server, key, git_sha=SHA, id="run-1", title="wrong", status="failed")
    server.clock.move(2 * HOUR)
    post(server, key, git_sha=SHA, id="run-1", title="right", env="staging")
    [row] = deploys(server)
    assert (row["title"], row["env"], row["status"]) == ("right", "staging", "failed")


def test_a_hidden_deploy_sent_again_stays_hidden(server: Server) -> None:
    key = server.make_key()
    first = post(server, key, git_sha=SHA)

    def hide(connection: Any) -> None:
        connection.execute("update deploys set hidden_at = 1")

    server.run(server.running.context.database.write(hide))
    assert post(server, key, git_sha=SHA).headers["location"] == first.headers["location"]
    assert [row["hidden_at"] for row in deploys(server)] == [1]


def test_the_columns_are_those_of_a_deploy(server: Server) -> None:
    post(server, server.make_key(), git_sha=SHA)
    assert set(deploys(server)[0]) == {*Deploy.__struct_fields__, "search"} - {"tags"}
