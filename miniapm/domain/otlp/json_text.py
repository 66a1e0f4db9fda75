"""JSON requests as text: their levels, for `splitting.py`, and mending what is not quite JSON."""

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import msgspec

from miniapm.domain.otlp.splitting import LARGE_BYTES, Syntax
from miniapm.exceptions import Invalid
from miniapm.printable import printable

Read = TypeVar("Read")

_PLACE = re.compile(r"byte (\d+)")
_SHOWN_FIELDS, _SHOWN_LENGTH = 5, 40
_MOST_SHOWN_OF = 10_000
_OPEN, _CLOSE = b"[]"
_SPACES = b" \t\r\n"
_NULL = msgspec.Raw(b"null")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_VALUE = msgspec.json.Decoder(msgspec.Raw)
_BOM = b"\xef\xbb\xbf"
# pairs of surrogates and other escapes are stepped over, so that what is left stands alone
_LONE_SURROGATE = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u])"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


class Shape(NamedTuple):
    """What a kind of request calls the lists of its three levels."""

    resources: str
    scopes: str
    items: str


class JsonSyntax(Syntax):
    """Requests in JSON. Whatever else stands beside the lists is left out."""

    shortest_item = 200

    def __init__(self, shape: Shape) -> None:
        self._lists = shape
        self._beside = ("", "resource", "scope")

    def read_beside(self, owner: memoryview, level: int) -> bytes:
        return bytes(_read_field(owner, self._beside[level]))

    def read_elements(self, owner: memoryview, level: int) -> Iterator[memoryview]:
        return _elements(memoryview(_read_field(owner, self._lists[level])))

    def open(self, element: memoryview) -> memoryview:
        return element

    def write_owner(
        self, level: int, beside: bytes, elements: Sequence[bytes | memoryview]
    ) -> bytes:
        about = b'"%s":%s,' % (self._beside[level].encode(), beside) if level else b""
        return b'{%s"%s":[%s]}' % (about, self._lists[level].encode(), b",".join(elements))


def _read_field(owner: bytes | memoryview, name: str) -> msgspec.Raw:
    """The value under `name`, null where there is none. All others are stepped over: to decode them
    would take twenty times the body."""
    try:
        given = _make_decoder(name).decode(owner) if name else None
    except (ValueError, RecursionError) as error:
        raise broken(error) from None
    value: msgspec.Raw = _NULL if given is None else given.value
    return value


@cache
def _make_decoder(name: str) -> msgspec.json.Decoder[Any]:
    value = ("value", msgspec.Raw, msgspec.field(name=name, default=_NULL))
    return msgspec.json.Decoder(msgspec.defstruct("Owner", [value]) | None)


def explain_missing(body: bytes, name: str) -> str:
    """What to say of a request that held nothing: that it has other fields than the list called
    `name`, which the specification says to ignore. "" where it has it, or is empty."""
    if _read_field(body, name) is not _NULL:
        return ""
    if body.count(b",") > _MOST_SHOWN_OF:
        return f"Nothing was stored: the body has no {name}."
    fields = _FIELDS.decode(body)
    if not fields or name in fields:
        return ""
    others = [printable(field, _SHOWN_LENGTH) for field in islice(fields, _SHOWN_FIELDS)]
    return f"Nothing was stored: the body has no {name} (it has {', '.join(others)})."


def _elements(array: memoryview) -> Iterator[memoryview]:
    """The elements of a JSON array, as they stand in it."""
    if array[0] != _OPEN:
        if array == memoryview(_NULL):
            return
        raise broken(ValueError("a list is missing"))
    place = 1
    while array[place] in _SPACES:
        place += 1
    while array[place] != _CLOSE:
        end = place + _measure(array[place:])
        yield array[place:end]
        # behind the last one stands the bracket, else a comma
        place = end + (array[end] != _CLOSE)


def _measure(rest: memoryview) -> int:
    """How long the value is that `rest` begins with, up to the comma or bracket behind it.

    msgspec is many times faster than anything else that can find out, and tells by complaining.
    """
    try:
        _VALUE.decode(rest)
    except msgspec.DecodeError as error:
        told = _PLACE.search(str(error))
        if told is not None:
            return int(told[1]) - 1
        raise
    raise AssertionError("an element of an array has something behind it")


def read_leniently(body: bytes, read: Callable[[bytes], Read]) -> Read:
    """What `read` makes of `body`; bad UTF-8 and lone surrogates in it are replaced, for one bad
    character must not cost a batch. Invalid, as `read` raises it, when it is no JSON even then."""
    if not body.isascii():
        body = _mend_utf8(body.removeprefix(_BOM))
    try:
        return read(body)
    except Invalid:
        # looked for only now: few bodies have any, and looking takes as long as reading
        mended = _LONE_SURROGATE.sub(_replace_surrogate, body)
        if mended == body:
            raise
    return read(mended)


def _mend_utf8(body: bytes) -> bytes:
    try:
        for _ in _decode_pieces(body, "strict"):
            pass
    except UnicodeDecodeError:
        return b"".join(text.encode() for text in _decode_pieces(body, "replace"))
    return body


def _decode_pieces(body: bytes, errors: str) -> Iterator[str]:
    # in pieces: as text, a large body would take four times the memory
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    for place in range(0, len(body), LARGE_BYTES):
        piece = body[place : place + LARGE_BYTES]
        yield decoder.decode(piece, final=place + LARGE_BYTES >= len(body))


def _replace_surrogate(found: re.Match[bytes]) -> bytes:
    escape: bytes | None = found[1]
    return rb"\ufffd" if escape is None else escape


def broken(error: Exception) -> Invalid:
    """What a body is called that `error` was raised for."""
    reason = str(error).split("\n")[0]
    return Invalid(f"The body is not a valid OTLP JSON request: {reason}.")
