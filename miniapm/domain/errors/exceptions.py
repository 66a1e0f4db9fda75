"""Exceptions as OpenTelemetry tells them, in span events and in log records, as occurrences."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from miniapm.domain.errors.bounding import (
    MAX_CLASS,
    MAX_MESSAGE,
    bound_lines,
    bound_value,
    clean,
)
from miniapm.domain.errors.fingerprints import identify
from miniapm.domain.errors.frames import find_frames
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import ReleaseName

_UNNAMED = "Error"
_TOLD = frozenset({"exception.type", "exception.message", "exception.stacktrace"})
_USER = ("enduser.id", "user.id")
_REQUEST = ("http.request.header.x-request-id", "http.request.id", "request.id", "request_id")
_LONGEST_ID = 200
_LONGEST_REMEMBERED = 16_384


def read_exception(
    release: ReleaseName,
    happened_at: int,
    exception_class: str,
    message: str,
    stacktrace: str,
    *,
    scrubber: Scrubber,
    trace_id: str = "",
    span_id: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> Occurrence:
    """The occurrence that `exception.type`, `.message` and `.stacktrace` tell ("" where absent).

    `happened_at` in µs, ids in hex. `attributes` are those of the event or record and of its span,
    by name, as JSON values; they are kept as the context. Never fails: everything is bounded, and
    masked by `scrubber`.
    """
    name = clean(exception_class.strip(), MAX_CLASS) or _UNNAMED
    text = scrubber.scrub_text(clean(message.strip(), MAX_MESSAGE))
    is_long = len(stacktrace) > _LONGEST_REMEMBERED
    read = _read_stacktrace.__wrapped__ if is_long else _read_stacktrace
    backtrace = read(stacktrace, scrubber)
    identity = identify(name, text, backtrace)
    context = {k: v for k, v in (attributes or {}).items() if k not in _TOLD}
    return Occurrence(
        service=release.service,
        env=release.env,
        version=release.version,
        revision=release.revision,
        happened_at=happened_at,
        exception_class=name,
        message=text,
        fingerprint=identity.fingerprint,
        culprit=identity.culprit,
        backtrace=backtrace,
        user_id=scrubber.scrub_text(_find(context, _USER)),
        request_id=scrubber.scrub_text(_find(context, _REQUEST)),
        trace_id=trace_id,
        span_id=span_id,
        context=scrubber.scrub(bound_value(context)) if context else None,
    )


# as below, and known before it is cut into lines
@lru_cache(maxsize=64)
def _read_stacktrace(stacktrace: str, scrubber: Scrubber) -> tuple[str, ...]:
    return scrub_backtrace(bound_lines([stacktrace]) if stacktrace.strip() else (), scrubber)


def scrub_backtrace(lines: tuple[str, ...], scrubber: Scrubber) -> tuple[str, ...]:
    """A stack trace with secrets masked; in frames and lines of source only what is written out."""
    return _scrub_backtrace(lines, scrubber) if lines else ()


# a storm sends one stack trace again and again; a few megabytes at most
@lru_cache(maxsize=64)
def _scrub_backtrace(lines: tuple[str, ...], scrubber: Scrubber) -> tuple[str, ...]:
    places = {frame.position for frame in find_frames(lines)}
    scrubbed = []
    for position, line in enumerate(lines):
        if position in places:
            scrubbed.append(scrubber.scrub_place(line))
        elif position - 1 in places and line.startswith((" ", "\t")):
            scrubbed.append(scrubber.scrub_source(line))
        else:
            scrubbed.append(scrubber.scrub_text(line))
    return tuple(scrubbed)


def _find(context: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = context.get(name)
        if isinstance(value, str | int) and value != "":
            return clean(str(value), _LONGEST_ID)
    return ""
