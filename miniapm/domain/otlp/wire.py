"""The levels of a request in protobuf's wire format, for `splitting.py`.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator, Sequence

from miniapm.domain.otlp.splitting import Syntax
from miniapm.exceptions import Invalid

# the list's field number by level; a resource or a scope is field 1 beside it
_LISTS = (1, 2, 2)
_BESIDE = 1
_LENGTH_DELIMITED = 2
_SHORT = 0x80
_MANY_FIELDS = 3_000_000

BROKEN = "The body is not a valid OTLP protobuf request."

# a field: its number, where it begins with its tag, where its content begins and ends
_Field = tuple[int, int, int, int]


class WireSyntax(Syntax):
    """Requests in protobuf: traces, logs and metrics have the same field numbers."""

    shortest_item = 100

    def read_beside(self, owner: memoryview, level: int) -> bytes:
        if level == 0:
            return b""
        beside = []
        for count, (number, start, _, end) in enumerate(_fields(owner)):
            if number == _BESIDE:
                beside.append(owner[start:end])
            elif count > _MANY_FIELDS:
                break
        return b"".join(beside)

    def read_elements(self, owner: memoryview, level: int) -> Iterator[memoryview]:
        wanted = _LISTS[level]
        for number, start, _, end in _fields(owner):
            if number == wanted:
                yield owner[start:end]

    def open(self, element: memoryview) -> memoryview:
        _, _, content, end = next(_fields(element))
        return element[content:end]

    def write_owner(
        self, level: int, beside: bytes, elements: Sequence[bytes | memoryview]
    ) -> bytes:
        content = beside + b"".join(elements)
        if level == 0:
            return content
        tag = _LISTS[level - 1] << 3 | _LENGTH_DELIMITED
        return bytes((tag,)) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(message: memoryview) -> Iterator[_Field]:
    """The length-delimited fields of a message; others are stepped over."""
    start, end = 0, len(message)
    while start < end:
        tag = message[start]
        content = start + 1
        if tag >= _SHORT:
            tag, content = _read_varint(message, start)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, content = _read_varint(message, content)
            after = content + length
            if after > end:
                raise _broken()
            yield tag >> 3, start, content, after
        elif kind == 0:
            _, after = _read_varint(message, content)
        elif kind in (1, 5):
            after = content + (8 if kind == 1 else 4)
        else:
            raise _broken()
        start = after
    if start > end:
        raise _broken()


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise _broken()


def _broken() -> Invalid:
    return Invalid(BROKEN)
