"""Attributes as a sender writes them."""

from collections.abc import Iterable
from functools import lru_cache

from miniapm.domain.otlp.schema import load_schema

Value = str | int
Attributes = Iterable[tuple[str, Value]]


def write_attributes(attributes: Attributes) -> list[bytes]:
    """KeyValue messages, encoded."""
    return [_write(key, value) for key, value in attributes]


# nearly all come again and again
@lru_cache(maxsize=1024)
def _write(key: str, value: Value) -> bytes:
    schema = load_schema()
    if isinstance(value, int):
        written = schema.AnyValue(int_value=value)
    else:
        written = schema.AnyValue(string_value=value.encode())
    encoded: bytes = schema.KeyValue(key=key.encode(), value=written).SerializeToString()
    return encoded
