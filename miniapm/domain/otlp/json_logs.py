"""Log requests in JSON, by the same rules as in protobuf (`logs.py`)."""

import msgspec

from miniapm.domain.otlp.exception_logs import EXCEPTION_PREFIX, ExceptionLogs, Logs, Record
from miniapm.domain.otlp.json_attributes import NONE_GIVEN, read_json_attributes, to_python
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
from miniapm.domain.spans.values import TelemetryDefaults

_PREFIX = EXCEPTION_PREFIX.encode()
_LISTS = Shape("resourceLogs", "scopeLogs", "logRecords")
_SYNTAX = JsonSyntax(_LISTS)


class _LogRecord(msgspec.Struct, gc=False, rename="camel"):
    time_unix_nano: int | None = None
    observed_time_unix_nano: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    body: msgspec.Raw = NONE_GIVEN
    attributes: msgspec.Raw = NONE_GIVEN


class _ScopeLogs(msgspec.Struct, rename="camel"):
    log_records: list[_LogRecord] | None = None


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: JsonResource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


_REQUEST = msgspec.json.Decoder(_Request, strict=False)


def read_json_logs(body: bytes, defaults: TelemetryDefaults, now: int, scrubber: Scrubber) -> Logs:
    """The exceptions in an ExportLogsServiceRequest in JSON. Invalid when `body` is none."""

    def read(body: bytes) -> Logs:
        logs = ExceptionLogs(now, scrubber)
        for part in split_request(body, _SYNTAX, logs.refuse):
            _read_part(part, defaults, logs)
        found = logs.finish(body)
        if found.occurrences or found.rejected:
            return found
        return found._replace(reason=explain_missing(body, _LISTS.resources))

    return read_leniently(body or b"{}", read)


def _read_part(part: bytes, defaults: TelemetryDefaults, logs: ExceptionLogs) -> None:
    try:
        request = _REQUEST.decode(part)
        for resource_logs in request.resource_logs or ():
            release = read_json_release(resource_logs.resource, defaults)
            for scope_logs in resource_logs.scope_logs or ():
                for given in scope_logs.log_records or ():
                    record = _read_record(given)
                    if record is None:
                        logs.refuse()
                    else:
                        logs.take(record, release)
    except (ValueError, RecursionError) as error:
        raise broken(error) from None


def _read_record(given: _LogRecord) -> Record | None:
    if _PREFIX not in memoryview(given.attributes).tobytes():
        return None
    attributes = read_json_attributes(given.attributes)
    body = to_python(msgspec.json.decode(given.body))
    if body is not None:
        attributes.setdefault("body", body)
    return Record(
        read_trace_id(given.trace_id).hex(),
        read_span_id(given.span_id).hex(),
        given.time_unix_nano or given.observed_time_unix_nano or 0,
        attributes,
    )
