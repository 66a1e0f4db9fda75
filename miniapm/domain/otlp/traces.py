"""Protobuf trace requests to batches: only what every page needs is decoded, the rest stays bytes.

The loop over spans is the hottest of the server: what it does for each, it does 100,000 times a
second.
"""

from functools import lru_cache
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
    PartReader,
    make_entry,
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
        for resource_spans in request.resource_spans:
            if not resource_spans.scope_spans:
                continue
            release = read_wire_release(resource_spans.resource, self._defaults)
            found = ResourceEntries(release)
            for scope_spans in resource_spans.scope_spans:
                if not self._walk_scope(scope_spans, collected, found):
                    return False
            collected.add(found)
        return True

    def _walk_scope(self, scope_spans: Any, collected: Collected, found: ResourceEntries) -> bool:
        category = _category_of(scope_spans.scope)
        known_calls = found.calls(category) if category else None
        low, high = self._window
        add_trace, add_start, add_entry = (
            collected.trace_ids.add,
            collected.starts.append,
            found.entries.append,
        )
        for span in scope_spans.spans:
            trace_id = span.trace_id
            started = span.start_time_unix_nano
            if not low <= started <= high or len(trace_id) != 16 or trace_id == _NO_TRACE:
                return False
            add_trace(trace_id)
            add_start(started)
            kind = span.kind
            if kind == CLIENT:
                calls = known_calls
                if calls is None:
                    own = _category_of_span(span)
                    if not own:
                        continue
                    calls = found.calls(own)
                took = span.end_time_unix_nano - started
                calls[trace_id].append(took if took > 0 else 0)
            elif kind in ENTRY_KINDS or (not span.parent_span_id and kind != PRODUCER):
                add_entry(_read_entry(span, trace_id, started))
        return True

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


def _read_entry(span: Any, trace_id: bytes, started: int) -> EntrySpan:
    raws = find_raw(span.attributes, _WANTED)
    if "http.route" in raws:
        for name in _PATHS:
            raws.pop(name, None)
    return make_entry(
        trace_id,
        span.name.decode("utf-8", "replace"),
        {name: read_value(raw) for name, raw in raws.items()},
        (started, span.end_time_unix_nano),
        is_error(span.status),
    )


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
