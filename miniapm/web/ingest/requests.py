"""`POST /ingest/requests`: entries for those without OpenTelemetry, answered once on disk."""

import msgspec

from miniapm.domain.keys import TRACES_WRITE
from miniapm.domain.payload_lists import explain_rejected
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.requests import RequestBatch, parse_requests
from miniapm.domain.spans.values import Telemetry, TelemetryDefaults
from miniapm.web.ingest.calls import Answer, Call, sized
from miniapm.web.ingest.digesting import digest, telemetry_defaults
from miniapm.web.ingest.errors import AcceptedBatch, most_of_list


async def post_requests(call: Call) -> Answer:
    """Takes up to 1,000 requests that were served: 202 once those that are good are on disk.

    One that is bad does not keep the others out; `rejected` names it by its place. A body in which
    each has a `timestamp` is counted once when it is sent again within 15 minutes.
    """
    key = await call.authorise(TRACES_WRITE)
    read = await digest(call, key, _parse, most_inflated=most_of_list(call))
    if read.batch is not None:
        database = call.context.database
        await database.writer.submit(
            database.telemetry.record_spans,
            key.project_id,
            telemetry_defaults(key),
            Telemetry(batches=[read.batch]),
            size=0,  # the call's reservation holds it
        )
    call.refused_part = explain_rejected(read.rejected, "requests")
    body = msgspec.json.encode(AcceptedBatch(read.accepted, read.rejected))
    return Answer(202, sized(b"application/json", body), body)


def _parse(body: bytes, defaults: TelemetryDefaults, now: int, scrubber: Scrubber) -> RequestBatch:
    return parse_requests(body, defaults, now)
