"""How much one request may bring: reads bodies under a cap, inflates them under the same cap."""

import zlib
from io import BytesIO

from starlette.types import Message, Receive

from miniapm.exceptions import Invalid, MiniapmError, TooLarge
from miniapm.storage.budget import Reservation

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 256 * 1024
_MOST_INFLATED = 1032
"""Bytes that one of deflate can become: https://zlib.net/zlib_tech.html"""


class Disconnected(MiniapmError):
    """The caller left before the body was whole; nobody waits for an answer."""

    status = 400


async def read_body(
    receive: Receive,
    limit: int,
    content_length: bytes | None,
    reserved: Reservation | None = None,
) -> bytes:
    """The whole body as it was sent. TooLarge past `limit` bytes, Busy where `reserved` cannot grow
    to what has arrived."""
    if content_length is not None and _is_more(content_length, limit):
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message["body"]
        if len(body) > limit:
            raise _too_large(limit)
        if reserved is not None:
            reserved.grow_to(len(body))
        return body
    return await _read_rest(receive, message, limit, reserved)


def _is_more(content_length: bytes, limit: int) -> bool:
    digits = content_length.lstrip(b"0")
    # int() itself refuses numbers of more than 4,300 digits
    return digits.isdigit() and (len(digits) > len(str(limit)) or int(digits) > limit)


async def _read_rest(
    receive: Receive, message: Message, limit: int, reserved: Reservation | None
) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise Disconnected("The body did not arrive whole.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if reserved is not None:
            reserved.grow_to(size)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def is_compressed(encoding: bytes) -> bool:
    """Whether a Content-Encoding is gzip; Invalid when it is neither that nor none."""
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return False
    if name not in (b"gzip", b"x-gzip"):
        raise Invalid("The Content-Encoding must be gzip or none.")
    return True


def inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    """`body` without its Content-Encoding. TooLarge past `limit` bytes."""
    return inflate_gzip(body, limit) if is_compressed(encoding) else body


def tell_inflated_size(body: bytes, limit: int) -> int:
    """How large a gzip body says it is, in bytes. TooLarge past `limit`, Invalid if it is none."""
    if not body.startswith(_GZIP_MAGIC):
        raise Invalid("The body is not valid gzip.")
    size = int.from_bytes(body[-4:], "little")
    if size > len(body) * _MOST_INFLATED:
        # what ends too early ends in any four bytes: it must not hold room for what they say
        raise Invalid("The gzip body is damaged, or ends too early.")
    if size > limit:
        raise _too_large(limit)
    return size


def inflate_beginning(body: bytes, most: int) -> bytes:
    """At most `most` bytes of what the beginning of a gzip body says; itself, where it is none."""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, most) or body
    except zlib.error:
        return body


def inflate_gzip(body: bytes, limit: int) -> bytes:
    """A gzip body, inflated. TooLarge past `limit` bytes, however it came to that."""
    inflater = zlib.decompressobj(wbits=31)
    # a buffer that grows in place: joining pieces would hold a large body twice
    inflated = BytesIO()
    try:
        while body and not inflater.eof:
            inflated.write(inflater.decompress(body, _PIECE_BYTES))
            if inflated.tell() > limit:
                raise _too_large(limit)
            body = inflater.unconsumed_tail
    except zlib.error:
        raise Invalid("The body is not valid gzip.") from None
    if not inflater.eof:
        raise Invalid("The gzip body ends too early.")
    if inflater.unused_data:
        raise Invalid("The gzip body must be one member, with nothing behind it.")
    return inflated.getvalue()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit:,} bytes.")
