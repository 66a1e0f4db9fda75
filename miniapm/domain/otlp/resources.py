"""Whose telemetry it is: a release out of the attributes of a resource, stable names and old ones.

https://opentelemetry.io/docs/specs/semconv/resource/, /registry/attributes/vcs/
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from miniapm.domain.otlp.attributes import encode_names, find_raw, read_value
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.spans.values import ReleaseName, TelemetryDefaults

# the SDKs' own word for a service that nobody named
_UNKNOWN_SERVICE = "unknown_service"
_LONGEST_NAME = 100
_LONGEST_VERSION = 200
_LARGEST_CACHED = 16_384

WANTED = {
    b"service.name": "service.name",
    b"service.version": "service.version",
    b"deployment.environment.name": "deployment.environment.name",
    b"deployment.environment": "deployment.environment",
    b"vcs.ref.head.revision": "vcs.ref.head.revision",
    b"vcs.repository.ref.revision": "vcs.repository.ref.revision",
}
_ENCODED = encode_names(WANTED)


def read_wire_release(resource: bytes, defaults: TelemetryDefaults) -> ReleaseName:
    """The release that a resource in protobuf names; the same bytes are looked into once."""
    if len(resource) > _LARGEST_CACHED:
        return _read_wire_release.__wrapped__(resource, defaults)
    return _read_wire_release(resource, defaults)


@lru_cache(maxsize=512)
def _read_wire_release(resource: bytes, defaults: TelemetryDefaults) -> ReleaseName:
    raws = load_schema().Resource.FromString(resource).attributes
    found = find_raw(raws, _ENCODED)
    return read_release({name: read_value(raw) for name, raw in found.items()}, defaults)


def read_release(attributes: Mapping[str, Any], defaults: TelemetryDefaults) -> ReleaseName:
    """The release that a resource names; `defaults` where it names no service or environment."""
    service = _text(attributes, _LONGEST_NAME, "service.name")
    if service == _UNKNOWN_SERVICE or service.startswith(_UNKNOWN_SERVICE + ":"):
        service = ""
    return ReleaseName(
        service=service or defaults.service,
        env=_text(
            attributes, _LONGEST_NAME, "deployment.environment.name", "deployment.environment"
        )
        or defaults.env,
        version=_text(attributes, _LONGEST_VERSION, "service.version"),
        revision=_text(
            attributes, _LONGEST_VERSION, "vcs.ref.head.revision", "vcs.repository.ref.revision"
        ),
    )


def _text(attributes: Mapping[str, Any], longest: int, *names: str) -> str:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = "".join(c if c.isprintable() else " " for c in str(value)).strip()
            if text:
                return text[:longest].rstrip()
    return ""
