"""Protobuf trace requests to batches: only what every page needs is decoded, the rest stays bytes.

The loop over spans is the hottest of the server: what it does for each, it does 100,000 times a
second.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp.attributes import (
    encode_names,
    find_raw,
    read_attributes,
    read_value,
    to_text,
)
from miniapm.domain.otlp.collecting import (
    CLIENT,
    ENTRY_KINDS,
    ERROR,
    PRODUCER,
    Collected,
    Described,
    PartReader,
    describe_entry,
    read_parts,
)
from miniapm.domain.otlp.exceptions import EXCEPTION, ExceptionReports, Where
from miniapm.domain.otlp.resources import read_wire_release
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.otlp.splitting import split_request
from miniapm.domain.otlp.wire import BROKEN, WireSyntax
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans import endpoints
from miniapm.domain.spans.batches import EntrySpan, ResourceEntries, window_at
from miniapm.domain.spans.categories import Category, categorize_keys, categorize_scope
from miniapm.domain.spans.compression import Compress, compress_plain
from miniapm.domain.spans.values import (
    ReleaseName,
    SpanBatch,
    Telemetry,
    TelemetryDefaults,
)
from miniapm.exceptions import Invalid

_SPAN_ID_BYTES = 8
_NO_TRACE = bytes(16)
_WANTED = encode_names(endpoints.WANTED)
# what names an endpoint only where there is no route
_PATHS = ("url.path", "http.target", "url.full")
_EXCEPTION = EXCEPTION.encode()
_LARGEST_CACHED = 4096
_LARGEST_DESCRIBED = 512
_LENGTHS = {16}
# a span with its trace id, beginning, end and kind
_Row = tuple[Any, bytes, int, int, int]
_COLUMNS = tuple(
    map(attrgetter, ("trace_id", "start_time_unix_nano", "end_time_unix_nano", "kind"))
)


def read_traces(
    body: bytes,
    defaults: TelemetryDefaults,
    now: int,
    scrubber: Scrubber,
    compress: Compress = compress_plain,
) -> Telemetry:
    """What an ExportTraceServiceRequest holds. Invalid when `body` is none.

    Spans that cannot be kept are counted and taken out; the rest is stored.
    """
    reader = _Reader(defaults, window_at(now), scrubber, compress)
    parts = split_request(body, WireSyntax(), reader.refused.refuse_large)
    return read_parts(parts, reader.refused, reader.read_part)


class _Reader(PartReader):
    def read_part(self, body: bytes) -> SpanBatch | None:
        try:
            request = load_schema().TracesRequest.FromString(body)
            collected = Collected()
            if not self._walk(request, collected):
                self._take_out(request)
                body = request.SerializeToString()
                collected = Collected()
                self._walk(request, collected)
            # looked for as bytes: few batches have any
            has_exceptions = _EXCEPTION in body
            occurrences = self._find_exceptions(request) if has_exceptions else []
        except DecodeError:
            raise Invalid(BROKEN) from None
        return collected.build("protobuf", body, occurrences, self._compress)

    def _walk(self, request: Any, collected: Collected) -> bool:
        """Whether every span could be kept; what was collected holds only then."""
        spans: list[Any] = []
        resources = []
        # slices are lists at once; to walk a repeated field takes twice as long
        for resource_spans in request.resource_spans[:]:
            scopes = []
            for scope_spans in resource_spans.scope_spans[:]:
                own = scope_spans.spans[:]
                spans += own
                scopes.append((scope_spans.scope, len(own)))
            resources.append((resource_spans.resource, scopes))
        # what all are asked for is read column by column: half the time of one after the other
        trace_ids, starts, ends, kinds = (list(map(get, spans)) for get in _COLUMNS)
        collected.trace_ids.update(trace_ids)
        collected.starts += starts
        if not self._can_keep_all(collected):
            return False
        rows = zip(spans, trace_ids, starts, ends, kinds, strict=True)
        for resource, scopes in resources:
            if scopes:
                found = ResourceEntries(read_wire_release(resource, self._defaults))
                for scope, count in scopes:
                    _read_scope(scope, islice(rows, count), found)
                collected.add(found)
        return True

    def _can_keep_all(self, collected: Collected) -> bool:
        starts, trace_ids = collected.starts, collected.trace_ids
        if not starts:
            return True
        low, high = self._window
        return (
            min(starts) >= low
            and max(starts) <= high
            and _NO_TRACE not in trace_ids
            and set(map(len, trace_ids)) == _LENGTHS
        )

    def _take_out(self, request: Any) -> None:
        """Takes the spans that cannot be kept out of `request`."""
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                kept = [
                    span
                    for span in scope_spans.spans
                    if self.refused.judge(span.trace_id, span.start_time_unix_nano, self._window)
                ]
                del scope_spans.spans[:]
                scope_spans.spans.extend(kept)

    def _find_exceptions(self, request: Any) -> list[Occurrence]:
        reports = ExceptionReports(self._scrubber, self._window)
        for resource_spans in request.resource_spans:
            release = read_wire_release(resource_spans.resource, self._defaults)
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    if span.events:
                        _report_exceptions(span, release, reports)
        return reports.finish()


def _report_exceptions(span: Any, release: ReleaseName, reports: ExceptionReports) -> None:
    where = None
    for raw in span.events:
        if _EXCEPTION not in raw:
            continue
        event = load_schema().Event.FromString(raw)
        if event.name == _EXCEPTION:
            where = where or _locate(span, release)
            reports.add(read_attributes(event.attributes), event.time_unix_nano, where)


def _locate(span: Any, release: ReleaseName) -> Where:
    span_id = span.span_id if len(span.span_id) == _SPAN_ID_BYTES else b""
    return Where(
        release,
        span.trace_id.hex(),
        span_id.hex(),
        span.start_time_unix_nano,
        read_attributes(span.attributes),
    )


def _read_scope(scope: bytes, rows: Iterable[_Row], found: ResourceEntries) -> None:
    category = _category_of(scope)
    known_calls = found.calls(category) if category else None
    for span, trace_id, started, ended, kind in rows:
        if kind == CLIENT:
            calls = known_calls
            if calls is None:
                own = _category_of_span(span)
                if not own:
                    continue
                calls = found.calls(own)
            calls[trace_id].append(ended - started if ended > started else 0)
        elif kind in ENTRY_KINDS or (kind != PRODUCER and not span.parent_span_id):
            found.entries.append(_read_entry(span, trace_id, started, ended))


def _read_entry(span: Any, trace_id: bytes, started: int, ended: int) -> EntrySpan:
    raws = find_raw(span.attributes[:], _WANTED)
    name = span.name
    describe = _describe.__wrapped__
    if "http.route" in raws:
        for path in _PATHS:
            raws.pop(path, None)
        # no ids are left: few different ones come again and again
        if len(name) + sum(map(len, raws.values())) <= _LARGEST_DESCRIBED:
            describe = _describe
    endpoint, status_code, failed = describe(name, tuple(raws.items()))
    return EntrySpan(
        trace_id, endpoint, started, ended, failed or is_error(span.status), status_code
    )


@lru_cache(maxsize=2048)
def _describe(name: bytes, raws: tuple[tuple[str, bytes], ...]) -> Described:
    attributes = {key: read_value(raw) for key, raw in raws}
    return describe_entry(name.decode("utf-8", "replace"), attributes)


def is_error(status: bytes) -> bool:
    """Whether a span's status, as it came, says ERROR."""
    return bool(status) and load_schema().Status.FromString(status).code == ERROR


def _category_of(scope: bytes) -> Category:
    # what is larger is not worth its place in memory
    return _read_category(scope) if len(scope) <= _LARGEST_CACHED else ""


@lru_cache(maxsize=1024)
def _read_category(scope: bytes) -> Category:
    return categorize_scope(to_text(load_schema().Scope.FromString(scope).name))


def _category_of_span(span: Any) -> Category:
    # the key of a KeyValue as it came begins behind its tag and length
    return categorize_keys(raw[2:8].decode("latin-1") for raw in span.attributes)
