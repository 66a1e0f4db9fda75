"""Attributes of JSON messages: single ones by name, quickly, or all of them as Python values.

Within the bounds of `attributes.py`, which reads protobuf. Integers may come as numbers or texts.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from miniapm.domain.otlp.attributes import DEEPEST, LONGEST_TEXT, MOST_ATTRIBUTES, MOST_ITEMS

NONE_GIVEN = msgspec.Raw(b"null")


class _KeyValue(msgspec.Struct, gc=False):
    key: str | None = None
    value: msgspec.Raw = NONE_GIVEN


class _Key(msgspec.Struct, gc=False):
    key: str | None = None


_PAIRS = msgspec.json.Decoder(list[_KeyValue] | None)
_KEYS = msgspec.json.Decoder(list[_Key] | None)
_VALUE = msgspec.json.Decoder()


def find_json_attributes(raw: msgspec.Raw, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The attributes whose keys are in `wanted`, under the names that it gives them.

    `raw` is the list of KeyValues as it came; msgspec.DecodeError when it is none. The first of two
    keys with one name counts.
    """
    found: dict[str, Any] = {}
    for pair in _PAIRS.decode(raw) or ():
        name = wanted.get(pair.key) if pair.key else None
        if name is not None and name not in found:
            found[name] = to_python(_VALUE.decode(pair.value))
    return found


def find_json_keys(raw: msgspec.Raw) -> Iterator[str]:
    """The names of the attributes."""
    return (pair.key for pair in _KEYS.decode(raw) or () if pair.key)


def read_json_attributes(raw: msgspec.Raw) -> dict[str, Any]:
    """The first attributes, as Python values."""
    read: dict[str, Any] = {}
    for pair in _PAIRS.decode(raw) or ():
        if len(read) >= MOST_ATTRIBUTES:
            break
        read.setdefault(_cut(pair.key or ""), to_python(_VALUE.decode(pair.value)))
    return read


def to_python(value: Any, depth: int = 0) -> Any:
    """An AnyValue, decoded, as str, bool, int, float, list, dict, hex of bytes, or None."""
    if isinstance(value, dict):
        for kind, given in value.items():
            read = _READERS.get(kind)
            if read is not None and given is not None:
                return read(given, depth)
    return None


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _read_text(given: Any, depth: int) -> str | None:
    return _cut(given) if isinstance(given, str) else None


def _read_bool(given: Any, depth: int) -> bool | None:
    return given if isinstance(given, bool) else None


def _read_int(given: Any, depth: int) -> int | None:
    try:
        return int(given)
    except (ValueError, TypeError, OverflowError):
        return None


def _read_double(given: Any, depth: int) -> float | None:
    try:
        return float(given)
    except (ValueError, TypeError, OverflowError):
        return None


def _read_bytes(given: Any, depth: int) -> str | None:
    try:
        return base64.b64decode(given[:LONGEST_TEXT])[: LONGEST_TEXT // 2].hex()
    except (ValueError, TypeError):
        return None


def _read_array(given: Any, depth: int) -> Any:
    if depth >= DEEPEST:
        return "…"
    return [to_python(item, depth + 1) for item in _first_values(given)]


def _read_pairs(given: Any, depth: int) -> Any:
    if depth >= DEEPEST:
        return "…"
    return {
        _cut(str(pair.get("key") or "")): to_python(pair.get("value"), depth + 1)
        for pair in _first_values(given)
        if isinstance(pair, dict)
    }


def _first_values(given: Any) -> list[Any]:
    values = given.get("values") if isinstance(given, dict) else None
    return values[:MOST_ITEMS] if isinstance(values, list) else []


_READERS: Mapping[str, Callable[[Any, int], Any]] = {
    "stringValue": _read_text,
    "boolValue": _read_bool,
    "intValue": _read_int,
    "doubleValue": _read_double,
    "arrayValue": _read_array,
    "kvlistValue": _read_pairs,
    "bytesValue": _read_bytes,
}
