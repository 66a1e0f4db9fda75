"""A head that was answered once is compared, not parsed; whatever differs goes to the parser."""

import pytest
from starlette.types import Scope

from miniapm.web.known_head import KnownHead, learn_head

SCOPE: Scope = {"type": "http", "path": "/v1/traces"}
HEAD = (
    b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nAuthorization: Bearer k\r\n\r\n"
)


def request(body: bytes, head: bytes = HEAD) -> bytes:
    return head % len(body) + body


def learned(body: bytes = b"first") -> KnownHead:
    known = learn_head(request(body), SCOPE)
    assert known is not None
    return known


@pytest.mark.parametrize(
    "body", [b"", b"x", b"12345", b"a" * 1000, b"\r\n\r\n", b"\r\nContent-Length: 7\r\n\r\n"]
)
def test_it_finds_the_body_of_the_same_head(body: bytes) -> None:
    known = learned(body)
    assert known.scope is SCOPE
    assert known.find_body(request(b"another")) == b"another"
    assert known.find_body(request(b"")) == b""
    assert learned().find_body(request(body)) == body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST",
        request(b"body")[:-1],
        request(b"body") + b"x",
        request(b"body") * 2,
        request(b"body").replace(b"Bearer k", b"Bearer K"),
        request(b"body").replace(b"/v1/traces", b"/v1/logs"),
        request(b"body").replace(b" 4", b" 4\r\nTransfer-Encoding: chunked"),
        request(b"body").replace(b" 4", b" +4"),
        request(b"body").replace(b" 4", b" 4 "),
        request(b"body").replace(b" 4", b" "),
        request(b"body").replace(b" 4", b" 4,4"),
        request(b"body").replace(b" 4", b" \xc2\xb2"),
        request(b"body").replace(b" 4", b" 000000004"),
    ],
)
def test_whatever_differs_is_not_it(data: bytes) -> None:
    assert learned().find_body(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nX-Content-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        request(b"body") + request(b"body"),
        request(b"body")[:-1],
        request(b"body", HEAD.replace(b"Host: a", b"Host: " + b"a" * 4096)),
        b"",
    ],
)
def test_a_long_head_or_one_without_one_plain_length_is_not_learned(data: bytes) -> None:
    assert learn_head(data, SCOPE) is None
