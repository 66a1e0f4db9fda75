"""Requests as those report them who do not use OpenTelemetry: entries without traces."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from miniapm.clock import DAY
from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.payload import Instant, Text100, Text200
from miniapm.domain.instants import parse_instant
from miniapm.domain.payload_fields import PayloadFields, Problems
from miniapm.domain.payload_lists import Rejected, read_items
from miniapm.domain.spans.batches import NEWEST, OLDEST, digest_body
from miniapm.domain.spans.endpoints import name_endpoint
from miniapm.domain.spans.values import Entry, ReleaseName, SpanBatch, TelemetryDefaults
from miniapm.exceptions import Invalid

MAX_REQUESTS = 1000
LONGEST_MS = DAY // 1000
_FIRST_FAILURE = 500


class RequestPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was served. Unknown fields are ignored."""

    method: Annotated[str, Meta(min_length=1, max_length=20)]
    status: Annotated[int, Meta(ge=100, le=999)]
    duration_ms: Annotated[float, Meta(ge=0, le=LONGEST_MS, description="Fractions are fine")]
    route: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    path: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=2000,
                description="Where there is no `route`: its ids are replaced, so that "
                "`/users/17` counts as `/users/{id}`",
            ),
        ]
        | None
    ) = None
    timestamp: (
        Annotated[
            Instant,
            Meta(description="When it began: up to 14 days ago. Default: it has just ended"),
        ]
        | None
    ) = None
    env: Text100 | None = None
    service: Text100 | None = None
    version: Text200 | None = None
    git_sha: Text200 | None = None


class RequestBatchPayload(msgspec.Struct, frozen=True):
    """The body of `POST /ingest/requests`."""

    requests: Annotated[list[RequestPayload], Meta(max_length=MAX_REQUESTS)]


class RequestBatch(NamedTuple):
    """What a call brought. `batch` is None when no request of it was good."""

    batch: SpanBatch | None
    accepted: int
    rejected: list[Rejected]


ALIASES = {"environment": "env"}
_FIELDS = PayloadFields(RequestPayload, ALIASES)


def parse_requests(body: bytes, defaults: TelemetryDefaults, now: int) -> RequestBatch:
    """The requests in `{"requests": [...]}`, at most 1,000; a bad one leaves the others alone."""
    all_timed = True

    def read(given: Mapping[str, Any]) -> Entry:
        nonlocal all_timed
        all_timed = all_timed and given.get("timestamp") not in (None, "")
        return read_request(given, defaults, now)

    entries, rejected = read_items(body, "requests", MAX_REQUESTS, read)
    # the same body without times may well mean other requests
    told = body if all_timed else b"%d %s" % (now, body)
    batch = _build(entries, digest_body(told)) if entries else None
    return RequestBatch(batch, len(entries), rejected)


def _build(entries: list[Entry], digest: bytes) -> SpanBatch:
    return SpanBatch(
        format="requests",
        body=b"",
        digest=digest,
        tails=b"",
        span_count=len(entries),
        started_at=min(entry.started_at for entry in entries),
        ended_at=max(entry.started_at + entry.duration_us for entry in entries),
        entries=entries,
        occurrences=[],
    )


def read_request(given: Mapping[str, Any], defaults: TelemetryDefaults, now: int) -> Entry:
    """The entry that decoded fields make; Invalid names every bad one."""
    problems: Problems = {}
    values = _FIELDS.collect(given, problems)
    if "route" not in values and "path" not in values:
        problems["route"] = "or 'path' is required" + _FIELDS.name_strangers(given, "route")
    payload = _FIELDS.convert(values, problems)
    _FIELDS.point_out_strangers(problems, given)
    started_at = _check_time(values, now, problems)
    if problems or payload is None:
        problems = _FIELDS.name_as_written(problems, given)
        raise Invalid(summarise(problems), problems)
    duration_us = round(payload.duration_ms * 1000)
    return Entry(
        release=ReleaseName(
            payload.service or defaults.service,
            payload.env or defaults.env,
            payload.version or "",
            payload.git_sha or "",
        ),
        endpoint=_name(payload),
        # without a time it has just ended
        started_at=now - duration_us if started_at is None else started_at,
        duration_us=duration_us,
        failed=payload.status >= _FIRST_FAILURE,
        status_code=payload.status,
        trace_id=None,
    )


def _name(payload: RequestPayload) -> str:
    told = {
        "http.request.method": payload.method,
        "http.route": payload.route,
        "url.path": payload.path,
    }
    return name_endpoint(payload.method, told)


def _check_time(values: Mapping[str, Any], now: int, problems: Problems) -> int | None:
    value = values.get("timestamp")
    if value is None or "timestamp" in problems:
        return None
    try:
        instant = parse_instant(value)
    except (ValueError, TypeError) as error:
        problems["timestamp"] = str(error)
        return None
    if instant < now - OLDEST:
        problems["timestamp"] = "is more than 14 days ago"
    elif instant > now + NEWEST:
        problems["timestamp"] = "is more than 10 minutes in the future"
    return instant
