"""From bytes to occurrences: every rule of `POST /ingest/errors`, every bad field named."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from miniapm.clock import DAY, MINUTE
from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.errors.bounding import (
    MAX_CLASS,
    MAX_LINE,
    MAX_MESSAGE,
    MAX_SOURCE_LINES,
    bound_lines,
    bound_value,
    clean,
    cut,
    drop_colours,
)
from miniapm.domain.errors.exceptions import scrub_backtrace
from miniapm.domain.errors.fingerprints import identify
from miniapm.domain.errors.payload import (
    ALIASES,
    MAX_ERRORS,
    ErrorPayload,
    SourceContextPayload,
)
from miniapm.domain.errors.values import Occurrence, SourceContext
from miniapm.domain.instants import parse_instant
from miniapm.domain.payload_fields import PayloadFields, Problems
from miniapm.domain.payload_lists import Rejected, read_items
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import TelemetryDefaults
from miniapm.domain.strict_json import decode_object
from miniapm.exceptions import Invalid

OLDEST = 14 * DAY
AHEAD = 10 * MINUTE

_FIELDS = PayloadFields(
    ErrorPayload,
    ALIASES,
    free_text=frozenset({"message"}),
    unchecked=frozenset({"backtrace", "params", "context"}),
    itemised=frozenset({"params", "context"}),
)
_COLOURED = ("message", "exception_class")


class ErrorBatch(NamedTuple):
    """The errors of a batch that are good, and what was wrong with the others."""

    occurrences: list[Occurrence]
    rejected: list[Rejected]


def parse_error(
    body: bytes | bytearray, defaults: TelemetryDefaults, now: int, scrubber: Scrubber
) -> Occurrence:
    """The occurrence in `body`; Invalid names every bad field."""
    return read_error(decode_object(body), defaults, now, scrubber)


def parse_errors(
    body: bytes | bytearray, defaults: TelemetryDefaults, now: int, scrubber: Scrubber
) -> ErrorBatch:
    """The errors in `{"errors": [...]}`, at most 1,000; one that is bad leaves the others alone."""
    found = read_items(
        body, "errors", MAX_ERRORS, lambda given: read_error(given, defaults, now, scrubber)
    )
    return ErrorBatch(found.good, found.rejected)


def read_error(
    given: Mapping[str, Any], defaults: TelemetryDefaults, now: int, scrubber: Scrubber
) -> Occurrence:
    """The occurrence that decoded fields make; Invalid names every bad one."""
    problems: Problems = {}
    values = _FIELDS.collect({n: _uncolour(n, v) for n, v in given.items()}, problems)
    # many exceptions say nothing; without the field, something is wrong
    if "message" not in values and isinstance(given.get("message"), str):
        values["message"] = ""
    payload = _FIELDS.convert(values, problems)
    _FIELDS.point_out_strangers(problems, given)
    happened_at = _check_time(values, now, problems)
    trace_id = _check_hex(values, "trace_id", 32, problems)
    span_id = _check_hex(values, "span_id", 16, problems)
    if problems or payload is None:
        problems = _FIELDS.name_as_written(problems, given)
        raise Invalid(summarise(problems), problems)
    name = cut(payload.exception_class, MAX_CLASS)
    message = scrubber.scrub_text(cut(payload.message, MAX_MESSAGE))
    backtrace = scrub_backtrace(_read_lines(payload.backtrace), scrubber)
    identity = identify(name, message, backtrace)
    return Occurrence(
        service=payload.service or defaults.service,
        env=payload.env or defaults.env,
        version=payload.version or "",
        revision=payload.git_sha or "",
        happened_at=happened_at,
        exception_class=name,
        message=message,
        fingerprint=scrubber.scrub_text(payload.fingerprint or "") or identity.fingerprint,
        culprit=identity.culprit,
        backtrace=backtrace,
        user_id=scrubber.scrub_text(_to_text(payload.user_id)),
        request_id=scrubber.scrub_text(_to_text(payload.request_id)),
        trace_id=trace_id,
        span_id=span_id,
        params=scrubber.scrub(bound_value(payload.params)),
        context=scrubber.scrub(bound_value(payload.context)),
        source_context=_read_source(payload.source_context, scrubber),
    )


def _uncolour(name: str, value: Any) -> Any:
    is_coloured = isinstance(value, str) and ALIASES.get(name, name) in _COLOURED
    return drop_colours(value) if is_coloured else value


def _check_time(values: Mapping[str, Any], now: int, problems: Problems) -> int:
    value = values.get("timestamp")
    if value is None or "timestamp" in problems:
        return now
    try:
        instant = parse_instant(value)
    except ValueError as error:
        problems["timestamp"] = str(error)
        return now
    if instant < now - OLDEST:
        problems["timestamp"] = "is more than 14 days ago"
    elif instant > now + AHEAD:
        problems["timestamp"] = "is more than 10 minutes in the future"
    return instant


def _check_hex(values: Mapping[str, Any], name: str, digits: int, problems: Problems) -> str:
    """The id in lower case; "" where it is absent, or all zeros, which means the same."""
    value = values.get(name)
    if not isinstance(value, str) or name in problems:
        return ""
    text = value.lower().replace("-", "")
    if re.fullmatch(f"[0-9a-f]{{{digits}}}", text) is None:
        problems[name] = f"must be {digits} hex digits"
        return ""
    return text if text.strip("0") else ""


def _read_lines(backtrace: str | list[str] | None) -> tuple[str, ...]:
    if not backtrace:
        return ()
    return bound_lines([backtrace] if isinstance(backtrace, str) else backtrace)


def _read_source(given: SourceContextPayload | None, scrubber: Scrubber) -> SourceContext | None:
    if given is None:
        return None

    def read(text: str | None) -> str:
        return scrubber.scrub_source(clean(text or "", MAX_LINE).rstrip())

    before, after = given.pre_context or [], given.post_context or []
    source = SourceContext(
        file=clean((given.file or "").strip(), MAX_LINE),
        lineno=given.lineno or 0,
        pre_context=tuple(read(line) for line in before[-MAX_SOURCE_LINES:]),
        context_line=read(given.context_line),
        post_context=tuple(read(line) for line in after[:MAX_SOURCE_LINES]),
    )
    return None if source == SourceContext() else source


def _to_text(value: str | int | None) -> str:
    return "" if value is None else str(value)[:200]
