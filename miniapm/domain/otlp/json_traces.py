"""JSON trace requests to batches, by the same rules as the protobuf reader (`traces.py`)."""

import msgspec

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp.attributes import LONGEST_TEXT
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
from miniapm.domain.otlp.json_attributes import (
    NONE_GIVEN,
    find_json_attributes,
    find_json_keys,
    read_json_attributes,
)
from miniapm.domain.otlp.json_resources import (
    JsonResource,
    read_json_release,
    read_span_id,
    read_trace_id,
)
from miniapm.domain.otlp.json_text import (
    JsonSyntax,
    Shape,
    broken,
    explain_missing,
    read_leniently,
)
from miniapm.domain.otlp.splitting import split_request
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans import endpoints
from miniapm.domain.spans.batches import EntrySpan, ResourceEntries, window_at
from miniapm.domain.spans.categories import categorize_keys, categorize_scope
from miniapm.domain.spans.compression import Compress, compress_plain
from miniapm.domain.spans.values import (
    ReleaseName,
    SpanBatch,
    Telemetry,
    TelemetryDefaults,
)

_EXCEPTION = EXCEPTION.encode()
_ENTRY_KINDS = ENTRY_KINDS | {"SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER"}
_CLIENT_KINDS = frozenset((CLIENT, "SPAN_KIND_CLIENT"))
_PRODUCER_KINDS = frozenset((PRODUCER, "SPAN_KIND_PRODUCER"))
_ERRORS = frozenset((ERROR, "STATUS_CODE_ERROR"))
_ENDPOINT = {name.decode(): meaning for name, meaning in endpoints.WANTED.items()}


class _Span(msgspec.Struct, gc=False, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: int | None = None
    end_time_unix_nano: int | None = None
    attributes: msgspec.Raw = NONE_GIVEN
    events: msgspec.Raw = NONE_GIVEN
    status: msgspec.Raw = NONE_GIVEN


class _Event(msgspec.Struct, gc=False, rename="camel"):
    time_unix_nano: int | None = None
    name: str | None = None
    attributes: msgspec.Raw = NONE_GIVEN


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None


class _Scope(msgspec.Struct):
    name: str | None = None


class _ScopeSpans(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: JsonResource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


class _RawScopeSpans(msgspec.Struct, rename="camel"):
    scope: msgspec.Raw = NONE_GIVEN
    spans: list[msgspec.Raw] | None = None


class _RawResourceSpans(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = NONE_GIVEN
    scope_spans: list[_RawScopeSpans] | None = None


class _RawRequest(msgspec.Struct, rename="camel"):
    """A request whose spans can be taken out one by one."""

    resource_spans: list[_RawResourceSpans] | None = None


# not strict: 64-bit integers may be texts
_REQUEST = msgspec.json.Decoder(_Request, strict=False)
_RAW_REQUEST = msgspec.json.Decoder(_RawRequest)
_SPAN = msgspec.json.Decoder(_Span, strict=False)
_STATUS = msgspec.json.Decoder(_Status | None)
_EVENTS = msgspec.json.Decoder(list[_Event] | None, strict=False)
_LISTS = Shape("resourceSpans", "scopeSpans", "spans")
_SYNTAX = JsonSyntax(_LISTS)


def read_json_traces(
    body: bytes,
    defaults: TelemetryDefaults,
    now: int,
    scrubber: Scrubber,
    compress: Compress = compress_plain,
) -> Telemetry:
    """What an ExportTraceServiceRequest in JSON holds. Invalid when `body` is none.

    Spans that cannot be kept are counted and taken out; the rest is stored.
    """
    if not body:
        return Telemetry(batches=[])
    window = window_at(now)

    def read(body: bytes) -> Telemetry:
        reader = _Reader(defaults, window, scrubber, compress)
        parts = split_request(body, _SYNTAX, reader.refused.refuse_large)
        telemetry = read_parts(parts, reader.refused, reader.read_part)
        if telemetry.batches or telemetry.rejected:
            return telemetry
        return Telemetry(batches=[], reason=explain_missing(body, _LISTS.resources))

    return read_leniently(body, read)


class _Reader(PartReader):
    def read_part(self, body: bytes) -> SpanBatch | None:
        try:
            request = _REQUEST.decode(body)
            collected = Collected()
            if not self._walk(request, collected):
                body = self._take_out(body)
                request = _REQUEST.decode(body)
                collected = Collected()
                self._walk(request, collected)
            # looked for in the text: few batches have any
            has_exceptions = _EXCEPTION in body
            occurrences = self._find_exceptions(request) if has_exceptions else []
        except (ValueError, RecursionError) as error:
            raise broken(error) from None
        return collected.build("json", body, occurrences, self._compress)

    def _walk(self, request: _Request, collected: Collected) -> bool:
        """Whether every span could be kept; what was collected holds only then."""
        ids: dict[str | None, bytes] = {}
        for resource_spans in request.resource_spans or ():
            release = read_json_release(resource_spans.resource, self._defaults)
            found = ResourceEntries(release)
            for scope_spans in resource_spans.scope_spans or ():
                if not self._walk_scope(scope_spans, collected.starts, ids, found):
                    return False
            collected.add(found)
        collected.trace_ids.update(ids.values())
        return True

    def _walk_scope(
        self,
        scope_spans: _ScopeSpans,
        starts: list[int],
        ids: dict[str | None, bytes],
        found: ResourceEntries,
    ) -> bool:
        scope = scope_spans.scope
        category = categorize_scope(scope.name[:LONGEST_TEXT] if scope and scope.name else "")
        low, high = self._window
        add_start = starts.append
        for span in scope_spans.spans or ():
            text = span.trace_id
            trace_id = ids.get(text)
            if trace_id is None:
                trace_id = ids[text] = read_trace_id(text)
            started = span.start_time_unix_nano or 0
            if not low <= started <= high or not trace_id:
                return False
            add_start(started)
            kind = span.kind
            if kind in _CLIENT_KINDS:
                own = category or categorize_keys(find_json_keys(span.attributes))
                if own:
                    took = (span.end_time_unix_nano or 0) - started
                    found.calls(own)[trace_id].append(took if took > 0 else 0)
            elif kind in _ENTRY_KINDS or (not span.parent_span_id and kind not in _PRODUCER_KINDS):
                found.entries.append(_read_entry(span, trace_id, started))
        return True

    def _take_out(self, body: bytes) -> bytes:
        """`body` without the spans that cannot be kept."""
        request = _RAW_REQUEST.decode(body)
        for resource_spans in request.resource_spans or ():
            for scope_spans in resource_spans.scope_spans or ():
                raws = scope_spans.spans or ()
                scope_spans.spans = [raw for raw in raws if self._keeps(_SPAN.decode(raw))]
        return msgspec.json.encode(request)

    def _keeps(self, span: _Span) -> bool:
        trace_id = read_trace_id(span.trace_id)
        return self.refused.judge(trace_id, span.start_time_unix_nano or 0, self._window)

    def _find_exceptions(self, request: _Request) -> list[Occurrence]:
        reports = ExceptionReports(self._scrubber, self._window)
        for resource_spans in request.resource_spans or ():
            release = read_json_release(resource_spans.resource, self._defaults)
            for scope_spans in resource_spans.scope_spans or ():
                for span in scope_spans.spans or ():
                    if _EXCEPTION in memoryview(span.events).tobytes():
                        _report_exceptions(span, release, reports)
        return reports.finish()


def _report_exceptions(span: _Span, release: ReleaseName, reports: ExceptionReports) -> None:
    where = Where(
        release,
        read_trace_id(span.trace_id).hex(),
        read_span_id(span.span_id).hex(),
        span.start_time_unix_nano or 0,
        read_json_attributes(span.attributes),
    )
    for event in _EVENTS.decode(span.events) or ():
        if event.name == EXCEPTION:
            reports.add(read_json_attributes(event.attributes), event.time_unix_nano or 0, where)


def _read_entry(span: _Span, trace_id: bytes, started: int) -> EntrySpan:
    return make_entry(
        trace_id,
        span.name or "",
        find_json_attributes(span.attributes, _ENDPOINT),
        (started, span.end_time_unix_nano or 0),
        _is_error(span.status),
    )


def _is_error(raw: msgspec.Raw) -> bool:
    status = _STATUS.decode(raw)
    return status is not None and status.code in _ERRORS
