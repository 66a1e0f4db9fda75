"""Whether a value may be a setting's: its type and range, and what a type cannot say."""

import ipaddress
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from miniapm.config.fields import setting_fields
from miniapm.domain.delivery.rules import parse_names
from miniapm.domain.durations import parse_duration
from miniapm.exceptions import Invalid


def check_setting(name: str, value: object, *, where: str, loose: bool) -> Any:
    """The value to use; Invalid says under the name `where` what is wrong with it.

    `loose` takes numbers that are written as text, as in the environment.
    """
    field = setting_fields()[name]
    try:
        converted = msgspec.convert(value, field.type, strict=not loose)
        if isinstance(converted, float) and not math.isfinite(converted):
            raise ValueError("must be a number that ends")
        return _CHECKS[name](converted) if name in _CHECKS else converted
    except msgspec.ValidationError as error:
        reason = f"must be one of {', '.join(field.options)}" if field.options else _reword(error)
        if isinstance(value, list) and "separated by commas" in field.description:
            reason = 'must be one text, with commas between the names, such as "a, b"'
    except ValueError as error:
        reason = str(error)
    raise Invalid(f"The setting {where} is bad: {reason}; it is {value!r}.")


def _reword(error: msgspec.ValidationError) -> str:
    """msgspec's `Expected `int` <= 65535` as a sentence of ours."""
    text = str(error).replace("`", "").replace("Expected ", "must be ")
    for theirs, ours in (("int", "a whole number"), ("float", "a number"), ("str", "text")):
        text = text.replace(f"must be {theirs}", f"must be {ours}")
    return text.partition(", got")[0]


def _check_duration(value: str) -> str:
    parse_duration(value)
    return value


def _check_at_least(least: str, value: str) -> str:
    if parse_duration(value) < parse_duration(least):
        raise ValueError(f"must be at least {least}")
    return value


def _check_host(value: str) -> str:
    if not value or not value.isprintable() or any(sign in value for sign in " /"):
        raise ValueError("must be an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    return value


def _check_public_url(value: str) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(value.rstrip("/"))
        parts.port  # noqa: B018 - raises for an impossible port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable():
        raise ValueError("must be an address such as https://apm.example.com")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be scheme and host only, such as https://apm.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def _check_networks(value: str) -> str:
    for part in filter(None, (part.strip() for part in value.split(","))):
        try:
            ipaddress.ip_network(part)
        except ValueError:
            raise ValueError(
                f"must be addresses or networks such as 10.0.0.0/8, and {part!r} is none"
            ) from None
    return value


def _check_names(value: str) -> str:
    if not parse_names(value):
        raise ValueError("must name at least one")
    return value


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "server.host": _check_host,
    "server.public_url": _check_public_url,
    "server.trusted_proxies": _check_networks,
    # without any, the delivery numbers would have nothing to count
    "delivery.production_environments": _check_names,
    "deploys.timeout": _check_duration,
    # below these, pages of the last hours or days would have holes
    "retention.spans": partial(_check_at_least, "1h"),
    "retention.errors": partial(_check_at_least, "1d"),
    "retention.minutes": partial(_check_at_least, "1d"),
    "retention.ten_minutes": partial(_check_at_least, "2d"),
    "retention.hours": partial(_check_at_least, "8d"),
}
