"""Whose telemetry a JSON request holds: its resources, and the ids of traces."""

import msgspec

from miniapm.domain.otlp import resources
from miniapm.domain.otlp.json_attributes import NONE_GIVEN, find_json_attributes
from miniapm.domain.spans.values import ReleaseName, TelemetryDefaults

_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8
_WANTED = {name.decode(): meaning for name, meaning in resources.WANTED.items()}


class JsonResource(msgspec.Struct):
    attributes: msgspec.Raw = NONE_GIVEN


def read_json_release(resource: JsonResource | None, defaults: TelemetryDefaults) -> ReleaseName:
    """The release that `resource` names; `defaults` where it says nothing."""
    given = find_json_attributes(resource.attributes, _WANTED) if resource else {}
    return resources.read_release(given, defaults)


def read_trace_id(text: str | None) -> bytes:
    """A trace id in hex, in any case; empty when it is none, or all zero."""
    return _read_id(text, _TRACE_ID_BYTES)


def read_span_id(text: str | None) -> bytes:
    """The id of a span, by the same rules."""
    return _read_id(text, _SPAN_ID_BYTES)


def _read_id(text: str | None, size: int) -> bytes:
    if text is None or len(text) != 2 * size:
        return b""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        return b""
    # fromhex() steps over spaces
    return value if any(value) and len(value) == size else b""
