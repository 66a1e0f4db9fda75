"""Log requests in protobuf: records that carry an exception become errors, others are not kept.

Instrumentations are moving exceptions from span events to log records.
"""

from typing import Any

from google.protobuf.message import DecodeError

from miniapm.domain.otlp.attributes import read_attributes, to_python
from miniapm.domain.otlp.exception_logs import EXCEPTION_PREFIX, ExceptionLogs, Logs, Record
from miniapm.domain.otlp.resources import read_wire_release
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.otlp.splitting import split_request
from miniapm.domain.otlp.wire import BROKEN, WireSyntax
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import TelemetryDefaults
from miniapm.exceptions import Invalid

_PREFIX = EXCEPTION_PREFIX.encode()
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8


def read_logs(body: bytes, defaults: TelemetryDefaults, now: int, scrubber: Scrubber) -> Logs:
    """The exceptions in an ExportLogsServiceRequest. Invalid when `body` is none."""
    logs = ExceptionLogs(now, scrubber)
    try:
        for part in split_request(body, WireSyntax(), logs.refuse):
            request = load_schema().LogsRequest.FromString(part)
            for resource_logs in request.resource_logs:
                release = read_wire_release(resource_logs.resource, defaults)
                for scope_logs in resource_logs.scope_logs:
                    for given in scope_logs.log_records:
                        record = _read_record(given)
                        if record is None:
                            logs.refuse()
                        else:
                            logs.take(record, release)
    except DecodeError:
        raise Invalid(BROKEN) from None
    return logs.finish(body)


def _read_record(given: Any) -> Record | None:
    if not any(_PREFIX in raw for raw in given.attributes):
        return None
    attributes = read_attributes(given.attributes)
    if given.body:
        attributes.setdefault("body", to_python(load_schema().AnyValue.FromString(given.body)))
    return Record(
        given.trace_id.hex() if len(given.trace_id) == _TRACE_ID_BYTES else "",
        given.span_id.hex() if len(given.span_id) == _SPAN_ID_BYTES else "",
        given.time_unix_nano or given.observed_time_unix_nano,
        attributes,
    )
