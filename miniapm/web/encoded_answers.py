"""Answers as they go over the wire."""

from collections.abc import Iterable, Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from miniapm.web.errors import Headers
from miniapm.web.ingest.calls import Answer


class AnswerEncoder:
    """Encodes a server's answers; the one that is the same as the last only once a second."""

    __slots__ = ("_default", "_last")

    def __init__(self) -> None:
        self._default: tuple[Headers, bytes] = ((), b"")
        self._last: tuple[Answer | None, bytes, bytes] = (None, b"", b"")

    def encode(self, answer: Answer, default_headers: Headers) -> bytes:
        """`answer` with `default_headers`, which uvicorn makes anew every second, for the date."""
        made_of, default = self._default
        if made_of is not default_headers:
            default = _encode_headers(default_headers)
            self._default = default_headers, default
        last, last_default, encoded = self._last
        if last is not answer or last_default is not default:
            encoded = _join(answer.status, default + _encode_headers(answer.headers), answer.body)
            self._last = answer, default, encoded
        return encoded


def encode_answer(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """An answer with all of its headers."""
    return _join(status, _encode_headers(headers), body)


def _join(status: int, headers: bytes, body: bytes) -> bytes:
    return b"".join([STATUS_LINE[status], headers, b"\r\n", body])


def _encode_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
