"""`POST /v1/traces`: spans by OTLP/HTTP, answered once they are on disk."""

from miniapm.domain.keys import TRACES_WRITE
from miniapm.domain.otlp.answers import Encoding
from miniapm.domain.otlp.json_traces import read_json_traces
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import Telemetry, TelemetryDefaults
from miniapm.exceptions import Invalid
from miniapm.web.ingest.calls import Answer, Call
from miniapm.web.ingest.digesting import Read, digest, telemetry_defaults
from miniapm.web.ingest.otlp import answer_export, find_encoding

REJECTED_NAME = "rejectedSpans"


def find_reader(encoding: Encoding) -> Read[Telemetry]:
    """What decodes a body in this encoding."""
    return read_json_traces if encoding is Encoding.JSON else read_traces


async def post_traces(call: Call) -> Answer:
    """200 with an ExportTraceServiceResponse in the request's encoding."""
    key = await call.authorise(TRACES_WRITE)
    encoding = find_encoding(call.headers)
    database, read_body = call.context.database, find_reader(encoding)

    def read(body: bytes, defaults: TelemetryDefaults, now: int, scrubber: Scrubber) -> Telemetry:
        compress = database.telemetry.find_compress(key.project_id)
        return read_body(body, defaults, now, scrubber, compress)

    telemetry = await digest(call, key, read)
    if telemetry.batches:
        await database.writer.submit(
            database.telemetry.record_spans,
            key.project_id,
            telemetry_defaults(key),
            telemetry,
            size=0,  # the call's reservation holds it
        )
    if telemetry.rejected:
        call.refused_part = Invalid(f"Of this batch, {telemetry.reason}.")
    elif telemetry.reason:
        call.refused_part = Invalid(telemetry.reason)
    return answer_export(encoding, REJECTED_NAME, telemetry.rejected, telemetry.reason)
