"""Requests made to trip the server: none gets a 5xx, none is sent where the sender wants."""

import socket
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.conftest import Server


@pytest.mark.parametrize("path", ["/ingest/deploys", "/deployments", "/login"])
@pytest.mark.parametrize(("length", "status"), [("0" * 5000 + "2", 400), ("9" * 19, 413)])
def test_a_long_content_length_is_no_trouble_of_ours(
    server: Server, path: str, length: str, status: int
) -> None:
    key = server.make_key()
    place = urlsplit(server.url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port), 10) as client:
        client.sendall(head.encode() + b"[]")
        answer = client.makefile("rb").readline()
    # a form without a name is a sign-in that fails
    wanted = 403 if path == "/login" and status == 400 else status
    assert answer.startswith(b"HTTP/1.1 %d" % wanted)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/projects/", "/projects"),
        ("/login//?next=/p/x", "/login?next=/p/x"),
        ("/p/default/deploys/?env=a%20b", "/p/default/deploys?env=a%20b"),
    ],
)
def test_a_slash_too_many_is_taken_off_on_this_server(
    server: Server, path: str, target: str
) -> None:
    answer = server.http.get(path, headers={"host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, target)


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/%2e%2e/", "//", "///x//", "/\\evil.example/"]
)
def test_a_slash_too_many_leads_nobody_away(server: Server, path: str) -> None:
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), 10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = client.makefile("rb").read().partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 404")
    assert b"\r\nlocation:" not in head


def test_a_form_is_not_sent_on(server: Server) -> None:
    answer: httpx2.Response = server.http.post("/projects/", data={"name": "x"})
    assert answer.status_code == 404
