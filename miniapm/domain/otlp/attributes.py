"""Attributes of protobuf messages: single ones by name, quickly, or all of them as Python values.

All that is read is bounded: many attributes, long strings and deep values are cut.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from miniapm.domain.otlp.schema import load_schema

MOST_ATTRIBUTES = 128
MOST_ITEMS = 128
LONGEST_TEXT = 8192
DEEPEST = 8

_KEY_TAG, _VALUE_TAG = 0x0A, 0x12
_TEXT_TAG, _INTEGER_TAG = 0x0A, 0x18


def encode_names(names: Mapping[bytes, str]) -> dict[bytes, str]:
    """`names` (of less than 128 bytes) as KeyValue messages begin with them, for `find_raw`."""
    return {bytes((_KEY_TAG, len(name))) + name: wanted for name, wanted in names.items()}


def find_raw(raws: Sequence[bytes], wanted: Mapping[bytes, str]) -> dict[str, bytes]:
    """The attributes that `wanted` (of `encode_names`) names, as they came, for `read_value`.

    The first of two keys with one name counts.
    """
    found: dict[str, bytes] = {}
    find = wanted.get
    for raw in raws:
        try:
            # nearly all begin with their key: compared where it stands, without a message object
            name = find(raw[: raw[1] + 2])
        except IndexError:
            continue  # shorter than any attribute
        if name is None:
            if raw[0] == _KEY_TAG:
                continue
            key = load_schema().KeyValue.FromString(raw).key
            name = find(bytes((_KEY_TAG, len(key) & 0x7F)) + key)
        if name is not None and name not in found:
            found[name] = raw
    return found


def read_value(raw: bytes) -> Any:
    """The value of an attribute as it came."""
    if raw[0] == _KEY_TAG:
        # short texts and small integers, the shape of nearly all, are read where they stand
        start = raw[1] + 2
        rest = len(raw) - start
        if 4 < rest < 0x80 and raw[start] == _VALUE_TAG and raw[start + 1] == rest - 2:
            kind = raw[start + 2]
            if kind == _TEXT_TAG and raw[start + 3] == rest - 4:
                return raw[start + 4 :].decode("utf-8", "replace")
            if kind == _INTEGER_TAG and rest == 5 and raw[start + 4] < 0x80 <= raw[start + 3]:
                return raw[start + 3] & 0x7F | raw[start + 4] << 7
    return to_python(load_schema().KeyValue.FromString(raw).value)


def read_attributes(raws: Iterable[bytes]) -> dict[str, Any]:
    """The first attributes, as Python values; what cannot be read is left out."""
    read: dict[str, Any] = {}
    key_value = load_schema().KeyValue
    for raw in raws:
        if len(read) >= MOST_ATTRIBUTES:
            break
        try:
            pair = key_value.FromString(raw)
        except DecodeError:
            continue
        read.setdefault(to_text(pair.key), to_python(pair.value))
    return read


def to_text(value: bytes) -> str:
    """Text as it may be kept: cut where it is too long, bad UTF-8 replaced."""
    if len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT].decode("utf-8", "replace") + "…"
    return value.decode("utf-8", "replace")


def to_python(value: Any, depth: int = 0) -> Any:
    """An AnyValue as str, bool, int, float, list, dict, hex of bytes, or None."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    given = getattr(value, kind)
    if kind == "string_value":
        return to_text(given)
    if kind == "bytes_value":
        return given[: LONGEST_TEXT // 2].hex()
    if kind == "array_value":
        if depth >= DEEPEST:
            return "…"
        return [to_python(item, depth + 1) for item in given.values[:MOST_ITEMS]]
    if kind == "kvlist_value":
        if depth >= DEEPEST:
            return "…"
        pairs = given.values[:MOST_ITEMS]
        return {to_text(pair.key): to_python(pair.value, depth + 1) for pair in pairs}
    return given
