"""`POST /v1/logs`: the exceptions among log records, as errors, answered once they are on disk."""

from miniapm.domain.keys import ERRORS_WRITE, TRACES_WRITE
from miniapm.domain.otlp.answers import Encoding
from miniapm.domain.otlp.json_logs import read_json_logs
from miniapm.domain.otlp.logs import read_logs
from miniapm.exceptions import Invalid
from miniapm.web.ingest.calls import Answer, Call
from miniapm.web.ingest.digesting import digest
from miniapm.web.ingest.otlp import answer_export, find_encoding


async def post_logs(call: Call) -> Answer:
    """Takes log records by OTLP/HTTP: those that carry an exception become errors.

    200 with an ExportLogsServiceResponse in the request's encoding, which says that the others are
    not kept. A body that comes again within 15 minutes is not counted again.
    """
    key = await call.authorise(ERRORS_WRITE, TRACES_WRITE)
    encoding = find_encoding(call.headers)
    read = read_json_logs if encoding is Encoding.JSON else read_logs
    logs = await digest(call, key, read)
    if logs.occurrences:
        database = call.context.database
        await database.writer.submit(
            database.telemetry.record_errors,
            key.project_id,
            logs.occurrences,
            logs.digest,
            size=0,  # the call's reservation holds it
        )
    if logs.reason and not logs.rejected:
        call.refused_part = Invalid(logs.reason)
    return answer_export(encoding, "rejectedLogRecords", logs.rejected, logs.reason)
