"""What all OTLP addresses share: the encoding of a call, and refusals as exporters read them."""

from collections.abc import Mapping
from functools import cache

from miniapm.domain.otlp.answers import (
    Encoding,
    encode_partial,
    encode_status,
    encode_success,
)
from miniapm.exceptions import Invalid, MiniapmError
from miniapm.web.context import Context
from miniapm.web.errors import Internal
from miniapm.web.ingest.calls import Answer, RequestHeaders, sized

_ENCODINGS: Mapping[bytes, Encoding] = {
    b"application/json": Encoding.JSON,
    b"text/json": Encoding.JSON,
    b"application/x-protobuf": Encoding.PROTOBUF,
    b"application/protobuf": Encoding.PROTOBUF,
}

# google.rpc.Code by HTTP status
_CODES: Mapping[int, int] = {
    400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 11, 415: 3, 429: 8, 503: 14,
}  # fmt: skip
_UNKNOWN = 2
_UNAVAILABLE = 503


def find_encoding(headers: RequestHeaders) -> Encoding:
    """How the call's body is written. Invalid when its Content-Type is neither of OTLP's."""
    encoding = _ENCODINGS.get(_media_type(headers))
    if encoding is None:
        raise Invalid("The Content-Type must be application/x-protobuf or application/json.")
    return encoding


def is_json(headers: RequestHeaders) -> bool:
    """Whether the Content-Type says JSON."""
    return _ENCODINGS.get(_media_type(headers)) is Encoding.JSON


def is_protobuf(headers: RequestHeaders) -> bool:
    """Whether the Content-Type says protobuf."""
    return _ENCODINGS.get(_media_type(headers)) is Encoding.PROTOBUF


def explain_as_status(error: MiniapmError, context: Context, headers: RequestHeaders) -> Answer:
    """A google.rpc.Status. Trouble of ours is 503: exporters throw away what any other 5xx met."""
    status = _UNAVAILABLE if isinstance(error, Internal) else error.status
    # who says neither is a person with curl, who can read JSON
    encoding = Encoding.PROTOBUF if is_protobuf(headers) else Encoding.JSON
    body = encode_status(encoding, _CODES.get(status, _UNKNOWN), error.message)
    return Answer(status, sized(encoding.value.encode(), body), body)


def answer_export(encoding: Encoding, rejected_name: str, rejected: int, reason: str) -> Answer:
    """200: all was kept, or, with a `reason`, not all of it. The name is as in `encode_partial`."""
    if not reason:
        return _answer_success(encoding)
    body = encode_partial(encoding, rejected_name, rejected, reason)
    return Answer(200, sized(encoding.value.encode(), body), body)


@cache
def _answer_success(encoding: Encoding) -> Answer:
    # one object for nearly all answers: AnswerEncoder encodes the same one once a second
    body = encode_success(encoding)
    return Answer(200, sized(encoding.value.encode(), body), body)


def _media_type(headers: RequestHeaders) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
