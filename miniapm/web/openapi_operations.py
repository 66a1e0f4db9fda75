"""What the route table does not know of each operation of the OpenAPI document.

Every JSON route has its line here; `tests/web/test_openapi.py` fails for one that has none.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from miniapm.domain.deploys.deployments import DeploymentPayload
from miniapm.domain.deploys.payload import DeployPayload
from miniapm.web import health
from miniapm.web.api import deploys as api_deploys
from miniapm.web.api import openapi as api_openapi
from miniapm.web.api.deploy_bodies import (
    ChangeList,
    DeployList,
    DeployQuery,
    DeployWithCommitsBody,
    UndoPayload,
)
from miniapm.web.ingest import deploys as ingest_deploys

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
    api_deploys.list_deploys: Operation({200: DeployList}, query=DeployQuery),
    api_deploys.show_deploy: Operation({200: DeployWithCommitsBody}),
    api_deploys.patch_deploy: Operation({200: DeployWithCommitsBody}, body=DEPLOY_PATCH),
    api_deploys.delete_deploy: Operation({204: None}),
    api_deploys.unhide_deploy: Operation({200: DeployWithCommitsBody}),
    api_deploys.list_changes: Operation({200: ChangeList}),
    api_deploys.undo_deploy_change: Operation({200: DeployWithCommitsBody}, body=UndoPayload),
    api_openapi.get_document: Operation({200: "application/json"}),
    health.get_health: Operation({200: health.Health}),
    health.get_readiness: Operation({200: health.Readiness, 503: health.Readiness}),
}
