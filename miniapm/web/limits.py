"""How much one request may bring: reads bodies under a cap, inflates them under the same cap."""

import zlib

from starlette.types import Message, Receive

from miniapm.exceptions import Invalid, MiniapmError, TooLarge


class Disconnected(MiniapmError):
    """The caller left before the body was whole; nobody waits for an answer."""

    status = 400


async def read_body(
    receive: Receive, limit: int, content_length: bytes | None = None, encoding: bytes = b""
) -> bytes:
    """The whole body, inflated. TooLarge past `limit` bytes, sent or inflated."""
    if content_length is not None and _is_more(content_length, limit):
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message["body"]
        if len(body) > limit:
            raise _too_large(limit)
    else:
        body = await _read_rest(receive, message, limit)
    return _inflate(body, encoding, limit) if encoding else body


def _is_more(content_length: bytes, limit: int) -> bool:
    digits = content_length.lstrip(b"0")
    # int() itself refuses numbers of more than 4,300 digits
    return digits.isdigit() and (len(digits) > len(str(limit)) or int(digits) > limit)


async def _read_rest(receive: Receive, message: Message, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise Disconnected("The body did not arrive whole.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def _inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    if name not in (b"gzip", b"x-gzip"):
        raise Invalid("The Content-Encoding must be gzip or none.")
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Invalid("The body is not valid gzip.") from None
    if len(inflated) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Invalid("The gzip body ends too early.")
    if inflater.unused_data:
        raise Invalid("The gzip body must be one member, with nothing behind it.")
    return inflated


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes.")
