"""Grafana's annotations: notifiers post deploys as them, and dashboards draw our deploys."""

from miniapm.domain.keys import DEPLOYS_WRITE, READ
from miniapm.domain.receivers.grafana import (
    AnnotationQuery,
    announce_annotation,
    announce_graphite,
    read_query,
    to_annotation,
)
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.record import Recorded
from miniapm.storage.deploys.titles import find_titles
from miniapm.storage.receivers.annotations import find_annotated
from miniapm.web.ingest.calls import Answer
from miniapm.web.ingest.deploys import defaults_of
from miniapm.web.receivers.calls import ForeignCall, ForeignRoute, answer_object
from miniapm.web.receivers.clients import explain_under
from miniapm.web.receivers.key_places import authorise_by_login

_explain = explain_under("message")


async def post_annotation(call: ForeignCall) -> Answer:
    """200 with the id of the deploy. What names no revision is refused: nothing would be stored."""
    key = await authorise_by_login(call, DEPLOYS_WRITE)
    payload = await call.read_payload()
    recorded = await call.record(
        announce_annotation(payload, defaults_of(key), call.context.clock())
    )
    return _added("Annotation added", recorded)


async def post_graphite(call: ForeignCall) -> Answer:
    key = await authorise_by_login(call, DEPLOYS_WRITE)
    payload = await call.read_payload()
    recorded = await call.record(announce_graphite(payload, defaults_of(key), call.context.clock()))
    return _added("Graphite annotation added", recorded)


async def list_annotations(call: ForeignCall) -> Answer:
    """The deploys of the key's project as annotations, newest first."""
    key = await authorise_by_login(call, READ, DEPLOYS_WRITE)
    query = read_query(call.queries)
    found = await call.context.database.read(_find, key.project_id, query)
    return answer_object(200, found)


def _find(connection: Connection, project_id: int, query: AnnotationQuery) -> list[object]:
    if query.is_of_alerts:
        return []
    deploys = find_annotated(connection, project_id, query)
    titles = find_titles(connection, deploys)
    return [to_annotation(deploy, titles.get(deploy.id)) for deploy in deploys]


def _added(message: str, recorded: Recorded) -> Answer:
    return answer_object(200, {"message": message, "id": recorded.deploy_id})


GRAFANA_ROUTES = (
    ForeignRoute("POST", "/api/annotations", post_annotation, _explain),
    ForeignRoute("GET", "/api/annotations", list_annotations, _explain),
    ForeignRoute("POST", "/api/annotations/graphite", post_graphite, _explain),
)
