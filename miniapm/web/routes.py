"""Every URL in one table, with the scope or role that it needs."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.keys import (
    DEPLOYS_ADMIN,
    DEPLOYS_WRITE,
    ERRORS_WRITE,
    READ,
    SCOPES,
    TRACES_WRITE,
)
from miniapm.web.api import delivery as api_delivery
from miniapm.web.api import deploys as api_deploys
from miniapm.web.api import doctor as api_doctor
from miniapm.web.api import endpoints as api_endpoints
from miniapm.web.api import environments as api_environments
from miniapm.web.api import errors as api_errors
from miniapm.web.api import impact as api_impact
from miniapm.web.api import key as api_key
from miniapm.web.api import traces as api_traces
from miniapm.web.api.openapi import get_document
from miniapm.web.assets import get_asset
from miniapm.web.auth import PUBLIC, Access, Caller
from miniapm.web.badge import get_badge
from miniapm.web.health import get_health, get_readiness
from miniapm.web.ingest.calls import ErrorAnswer, Handler, QuickWay
from miniapm.web.ingest.deploys import (
    explain_as_json,
    explain_as_text,
    post_deploy,
    post_deployment,
)
from miniapm.web.ingest.errors import post_error, post_errors
from miniapm.web.ingest.logs import post_logs
from miniapm.web.ingest.metrics import post_metrics
from miniapm.web.ingest.otlp import explain_as_status
from miniapm.web.ingest.quick import take_deploy, take_traces
from miniapm.web.ingest.requests import post_requests
from miniapm.web.ingest.traces import post_traces
from miniapm.web.pages import (
    account,
    deploy_actions,
    login,
    overview,
    projects,
    settings,
    settings_receivers,
    settings_webhooks,
    timeline,
)
from miniapm.web.pages.delivery import get_delivery
from miniapm.web.pages.deploy import get_deploy_page
from miniapm.web.pages.endpoint import get_endpoint_page
from miniapm.web.pages.endpoints import get_endpoints
from miniapm.web.pages.environments import get_environments
from miniapm.web.pages.error import get_error_page
from miniapm.web.pages.error_actions import post_error_state
from miniapm.web.pages.errors import get_errors
from miniapm.web.pages.events import get_events
from miniapm.web.pages.time_zone import get_time_zone, post_time_zone
from miniapm.web.pages.trace import get_trace_page
from miniapm.web.pages.traces import get_traces

Endpoint = Callable[[Request, Caller], Awaitable[Response]]


class IngestRoute(NamedTuple):
    """An address that senders post to; served ahead of Starlette's routing."""

    path: str
    handler: Handler
    scopes: tuple[str, ...]
    explain: ErrorAnswer
    quick: QuickWay | None = None


class Route(NamedTuple):
    """A page or an API address. A GET answers HEAD as well. One that `may_wait` for something to
    happen does not hold up senders meanwhile."""

    method: str
    path: str
    endpoint: Endpoint
    access: Access
    may_wait: bool = False


VIEWER = Access(role="viewer")
MEMBER = Access(role="member")
ADMIN = Access(role="admin")

KEYS_OF_DEPLOYS = Access((READ, DEPLOYS_WRITE, DEPLOYS_ADMIN))
READ_DEPLOYS = Access((READ, DEPLOYS_WRITE, DEPLOYS_ADMIN), "viewer")
PATCH_DEPLOYS = Access((DEPLOYS_WRITE, DEPLOYS_ADMIN), "member")
CORRECT_DEPLOYS = Access((DEPLOYS_ADMIN,), "member")
READ_TELEMETRY = Access((READ,), "viewer")
CORRECT_ERRORS = Access((DEPLOYS_ADMIN,), "member")

INGEST_ROUTES = (
    IngestRoute("/ingest/deploys", post_deploy, (DEPLOYS_WRITE,), explain_as_json, take_deploy),
    IngestRoute("/deployments", post_deployment, (DEPLOYS_WRITE,), explain_as_text),
    IngestRoute("/ingest/errors", post_error, (ERRORS_WRITE,), explain_as_json),
    IngestRoute("/ingest/errors/batch", post_errors, (ERRORS_WRITE,), explain_as_json),
    IngestRoute("/v1/traces", post_traces, (TRACES_WRITE,), explain_as_status, take_traces),
    IngestRoute("/ingest/v1/traces", post_traces, (TRACES_WRITE,), explain_as_status, take_traces),
    IngestRoute("/v1/logs", post_logs, (ERRORS_WRITE, TRACES_WRITE), explain_as_status),
    IngestRoute("/ingest/v1/logs", post_logs, (ERRORS_WRITE, TRACES_WRITE), explain_as_status),
    IngestRoute("/v1/metrics", post_metrics, SCOPES, explain_as_status),
    IngestRoute("/ingest/v1/metrics", post_metrics, SCOPES, explain_as_status),
    IngestRoute("/ingest/requests", post_requests, (TRACES_WRITE,), explain_as_json),
)

ROUTES = (
    Route("GET", "/api/v1/openapi.json", get_document, PUBLIC),
    Route("GET", "/api/v1/key", api_key.show_key, KEYS_OF_DEPLOYS),
    Route("GET", "/api/v1/deploys", api_deploys.list_deploys, READ_DEPLOYS),
    Route("GET", "/api/v1/deploys/{id}", api_deploys.show_deploy, READ_DEPLOYS),
    Route("PATCH", "/api/v1/deploys/{id}", api_deploys.patch_deploy, PATCH_DEPLOYS),
    Route("DELETE", "/api/v1/deploys/{id}", api_deploys.delete_deploy, CORRECT_DEPLOYS),
    Route("POST", "/api/v1/deploys/{id}/restore", api_deploys.unhide_deploy, CORRECT_DEPLOYS),
    Route("GET", "/api/v1/deploys/{id}/changes", api_deploys.list_changes, READ_DEPLOYS),
    Route("POST", "/api/v1/deploys/{id}/undo", api_deploys.undo_deploy_change, CORRECT_DEPLOYS),
    Route("GET", "/api/v1/deploys/{id}/impact", api_impact.show_impact, READ_DEPLOYS, True),
    Route("GET", "/api/v1/deploys/{id}/doctor", api_doctor.diagnose_deploy, READ_DEPLOYS),
    Route("POST", "/api/v1/deploys/{id}/review", api_impact.review_impact, CORRECT_DEPLOYS),
    Route("GET", "/api/v1/endpoints", api_endpoints.list_endpoints, READ_TELEMETRY),
    Route("GET", "/api/v1/errors", api_errors.list_errors, READ_TELEMETRY),
    Route("GET", "/api/v1/errors/{id}", api_errors.show_error, READ_TELEMETRY),
    Route("PATCH", "/api/v1/errors/{id}", api_errors.patch_error, CORRECT_ERRORS),
    Route("GET", "/api/v1/traces", api_traces.list_traces, READ_TELEMETRY),
    Route("GET", "/api/v1/traces/{trace_id}", api_traces.show_trace, READ_TELEMETRY),
    Route("GET", "/api/v1/delivery", api_delivery.show_delivery, READ_DEPLOYS),
    Route("GET", "/api/v1/delivery/deploys", api_delivery.list_behind, READ_DEPLOYS),
    Route("GET", "/api/v1/environments", api_environments.list_environments, READ_DEPLOYS),
    Route("GET", "/health", get_health, PUBLIC),
    Route("GET", "/readyz", get_readiness, PUBLIC),
    Route("GET", "/", projects.get_home, VIEWER),
    Route("GET", "/projects", projects.get_projects, VIEWER),
    Route("POST", "/projects", projects.post_project, ADMIN),
    Route("GET", "/login", login.get_login, PUBLIC),
    Route("POST", "/login", login.post_login, PUBLIC),
    Route("POST", "/login/link", login.post_link, PUBLIC),
    Route("POST", "/login/first", login.post_first_admin, PUBLIC),
    Route("POST", "/logout", login.post_logout, PUBLIC),
    Route("GET", "/account", account.get_account, VIEWER),
    Route("POST", "/account/password", account.post_password, VIEWER),
    Route("GET", "/p/{slug}", projects.get_project_home, VIEWER),
    Route("GET", "/p/{slug}/", overview.get_overview, VIEWER),
    Route("GET", "/p/{slug}/settings", settings.get_settings, VIEWER),
    Route("POST", "/p/{slug}/settings/keys", settings.post_key, ADMIN),
    Route("POST", "/p/{slug}/settings/keys/{key_id}/rotate", settings.post_rotation, ADMIN),
    Route("POST", "/p/{slug}/settings/keys/{key_id}/revoke", settings.post_revocation, ADMIN),
    Route("GET", "/p/{slug}/settings/receivers", settings_receivers.get_receivers, VIEWER),
    Route("POST", "/p/{slug}/settings/receivers", settings_receivers.post_receiver, ADMIN),
    Route(
        "POST",
        "/p/{slug}/settings/receivers/{receiver_id}/revoke",
        settings_receivers.post_revocation,
        ADMIN,
    ),
    Route("GET", "/p/{slug}/settings/webhooks", settings_webhooks.get_telling, VIEWER),
    Route("POST", "/p/{slug}/settings/webhooks", settings_webhooks.post_webhook, ADMIN),
    Route(
        "POST", "/p/{slug}/settings/webhooks/{webhook_id}/test", settings_webhooks.post_test, ADMIN
    ),
    Route(
        "POST",
        "/p/{slug}/settings/webhooks/{webhook_id}/delete",
        settings_webhooks.post_deletion,
        ADMIN,
    ),
    Route(
        "POST",
        "/p/{slug}/settings/webhooks/{webhook_id}/rotate",
        settings_webhooks.post_rotation,
        ADMIN,
    ),
    Route("POST", "/p/{slug}/settings/badges", settings_webhooks.post_badge, ADMIN),
    Route("GET", "/badge/{name}", get_badge, PUBLIC),
    Route("GET", "/static/{name}", get_asset, PUBLIC),
    Route("GET", "/time-zone", get_time_zone, PUBLIC),
    Route("POST", "/time-zone", post_time_zone, PUBLIC),
    Route("GET", "/p/{slug}/deploys", timeline.get_timeline, VIEWER),
    Route("GET", "/p/{slug}/endpoints", get_endpoints, VIEWER),
    Route("GET", "/p/{slug}/endpoints/{id}", get_endpoint_page, VIEWER),
    Route("GET", "/p/{slug}/errors", get_errors, VIEWER),
    Route("GET", "/p/{slug}/errors/{id}", get_error_page, VIEWER),
    Route("POST", "/p/{slug}/errors/{id}/state", post_error_state, MEMBER),
    Route("GET", "/p/{slug}/traces", get_traces, VIEWER),
    Route("GET", "/p/{slug}/traces/{trace_id}", get_trace_page, VIEWER),
    Route("GET", "/p/{slug}/delivery", get_delivery, VIEWER),
    Route("GET", "/p/{slug}/environments", get_environments, VIEWER),
    Route("GET", "/p/{slug}/events", get_events, VIEWER),
    Route("GET", "/p/{slug}/deploys/{id}", get_deploy_page, VIEWER),
    Route("POST", "/p/{slug}/deploys/{id}/edit", deploy_actions.post_edit, MEMBER),
    Route("POST", "/p/{slug}/deploys/{id}/hide", deploy_actions.post_hide, MEMBER),
    Route("POST", "/p/{slug}/deploys/{id}/restore", deploy_actions.post_restore, MEMBER),
    Route("POST", "/p/{slug}/deploys/{id}/undo", deploy_actions.post_undo, MEMBER),
    Route("POST", "/p/{slug}/deploys/{id}/review", deploy_actions.post_review, MEMBER),
    Route("POST", "/p/{slug}/deploys/{id}/overrule", deploy_actions.post_overruling, MEMBER),
)
