"""`POST /v1/metrics`: declined in the way that exporters understand."""

from miniapm.domain.keys import SCOPES
from miniapm.domain.otlp.answers import Encoding
from miniapm.domain.otlp.metrics import count_json_points, count_points
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import TelemetryDefaults
from miniapm.web.ingest.calls import Answer, Call
from miniapm.web.ingest.digesting import digest
from miniapm.web.ingest.otlp import answer_export, find_encoding

_DECLINED = "miniapm keeps no metrics; set OTEL_METRICS_EXPORTER=none where they are sent."


async def post_metrics(call: Call) -> Answer:
    """Takes metrics by OTLP/HTTP and keeps none.

    200 with an ExportMetricsServiceResponse in the request's encoding, which says so.
    """
    key = await call.authorise(*SCOPES)
    encoding = find_encoding(call.headers)
    count = count_json_points if encoding is Encoding.JSON else count_points

    def read(body: bytes, defaults: TelemetryDefaults, now: int, scrubber: Scrubber) -> int:
        return count(body)

    points = await digest(call, key, read)
    return answer_export(encoding, "rejectedDataPoints", points, _DECLINED if points else "")
