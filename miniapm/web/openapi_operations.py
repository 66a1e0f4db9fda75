"""What the route table does not know of each operation of the OpenAPI document.

Every JSON route has its line here; `tests/web/test_openapi.py` fails for one that has none.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from miniapm.domain.deploys.deployments import DeploymentPayload
from miniapm.domain.deploys.payload import DeployPayload
from miniapm.domain.errors.payload import ErrorBatchPayload, ErrorPayload
from miniapm.domain.spans.requests import RequestBatchPayload
from miniapm.web import health
from miniapm.web.api import delivery as api_delivery
from miniapm.web.api import deploys as api_deploys
from miniapm.web.api import doctor as api_doctor
from miniapm.web.api import endpoints as api_endpoints
from miniapm.web.api import environments as api_environments
from miniapm.web.api import errors as api_errors
from miniapm.web.api import impact as api_impact
from miniapm.web.api import key as api_key
from miniapm.web.api import openapi as api_openapi
from miniapm.web.api import traces as api_traces
from miniapm.web.api.behind_bodies import CountedList
from miniapm.web.api.delivery_bodies import BehindQuery, DeliveryBody, StretchQuery
from miniapm.web.api.deploy_bodies import (
    ChangeList,
    DeployList,
    DeployQuery,
    DeployWithCommitsBody,
    UndoPayload,
)
from miniapm.web.api.doctor import DiagnosisBody
from miniapm.web.api.endpoint_bodies import EndpointList, EndpointQuery
from miniapm.web.api.environment_bodies import EnvironmentList, EnvironmentQuery
from miniapm.web.api.error_bodies import ErrorList, ErrorPatch, ErrorQuery, WholeErrorGroupBody
from miniapm.web.api.impact_bodies import ImpactBody, ImpactQuery, ReviewPayload
from miniapm.web.api.trace_bodies import TraceList, TraceQuery
from miniapm.web.api.whole_trace_bodies import WholeTraceBody
from miniapm.web.ingest import deploys as ingest_deploys
from miniapm.web.ingest import errors as ingest_errors
from miniapm.web.ingest import requests as ingest_requests

# the one body that is no struct: some of the fields of another
DEPLOY_PATCH = "DeployPatch"


class Operation(NamedTuple):
    """What a handler takes and answers.

    `answers` maps each status that is no error to the struct in its body, a media type, or None
    where there is no body.
    """

    answers: Mapping[int, type | str | None]
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | str | None = None
    is_ingest: bool = False


OPERATIONS: Mapping[Callable[..., Any], Operation] = {
    ingest_deploys.post_deploy: Operation({202: None}, body=DeployPayload, is_ingest=True),
    ingest_deploys.post_deployment: Operation(
        {201: "text/plain"}, body=DeploymentPayload, is_ingest=True
    ),
    ingest_errors.post_error: Operation({202: ingest_errors.AcceptedError}, body=ErrorPayload),
    ingest_errors.post_errors: Operation(
        {202: ingest_errors.AcceptedBatch}, body=ErrorBatchPayload
    ),
    ingest_requests.post_requests: Operation(
        {202: ingest_errors.AcceptedBatch}, body=RequestBatchPayload
    ),
    api_delivery.show_delivery: Operation({200: DeliveryBody}, query=StretchQuery),
    api_delivery.list_behind: Operation({200: CountedList}, query=BehindQuery),
    api_environments.list_environments: Operation({200: EnvironmentList}, query=EnvironmentQuery),
    api_deploys.list_deploys: Operation({200: DeployList}, query=DeployQuery),
    api_deploys.show_deploy: Operation({200: DeployWithCommitsBody}),
    api_deploys.patch_deploy: Operation({200: DeployWithCommitsBody}, body=DEPLOY_PATCH),
    api_deploys.delete_deploy: Operation({204: None}),
    api_deploys.unhide_deploy: Operation({200: DeployWithCommitsBody}),
    api_deploys.list_changes: Operation({200: ChangeList}),
    api_deploys.undo_deploy_change: Operation({200: DeployWithCommitsBody}, body=UndoPayload),
    api_doctor.diagnose_deploy: Operation({200: DiagnosisBody}),
    api_impact.show_impact: Operation({200: ImpactBody}, query=ImpactQuery),
    api_impact.review_impact: Operation({200: ImpactBody}, body=ReviewPayload),
    api_endpoints.list_endpoints: Operation({200: EndpointList}, query=EndpointQuery),
    api_errors.list_errors: Operation({200: ErrorList}, query=ErrorQuery),
    api_errors.show_error: Operation({200: WholeErrorGroupBody}),
    api_errors.patch_error: Operation({200: WholeErrorGroupBody}, body=ErrorPatch),
    api_key.show_key: Operation({200: api_key.KeyBody}),
    api_openapi.get_document: Operation({200: "application/json"}),
    api_traces.list_traces: Operation({200: TraceList}, query=TraceQuery),
    api_traces.show_trace: Operation({200: WholeTraceBody}),
    health.get_health: Operation({200: health.Health}),
    health.get_readiness: Operation({200: health.Readiness, 503: health.Readiness}),
}
