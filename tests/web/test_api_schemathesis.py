"""The server against its own OpenAPI document: schemathesis sends what fits it and what does not.

No call gives a 5xx, and every answer has a status, headers and a body that the document names.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from miniapm.clock import HOUR, to_rfc3339
from miniapm.domain.keys import SCOPES
from miniapm.web.openapi import build_document
from tests.conftest import FakeClock, Server, start_server
from tests.factories import START
from tests.web.trace_bodies import TRACE, send_checkout

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    (path, method) for path, methods in build_document()["paths"].items() for method in methods
]
EXAMPLES = 40
# they are taken as they should be: one after the other, that is all day
LONG_WAITS = {str(seconds) for seconds in range(1, 61)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("schemathesis") / "miniapm.db"
    yield from start_server(path, FakeClock())


class Known(NamedTuple):
    """Ids that are there."""

    deploy: str
    change: str
    error: str


@pytest.fixture(scope="module")
def known(server: Server) -> Known:
    """A deploy with everything, two corrections and an open neighbour; an error; a trace."""
    headers = {"Authorization": f"Bearer {server.make_key(*SCOPES)}"}
    payload = {
        "git_sha": "abc1234",
        "version": "v1",
        "id": "7",
        "tags": ["a"],
        "started_at": to_rfc3339(START - HOUR),
        "commits": [{"sha": "abc1234", "timestamp": 1_700_000_000, "message": "Fix"}],
    }
    server.http.post(
        "/ingest/deploys", json={"git_sha": "bcd2345", "status": "started"}, headers=headers
    )
    answer = server.http.post("/ingest/deploys", json=payload, headers=headers)
    deploy_id = answer.headers["location"].rsplit("/", 1)[1]
    server.http.patch(f"/api/v1/deploys/{deploy_id}", json={"title": "x"}, headers=headers)
    server.http.delete(f"/api/v1/deploys/{deploy_id}", headers=headers)
    changes = server.http.get(f"/api/v1/deploys/{deploy_id}/changes", headers=headers)
    error = {"exception_class": "E", "message": "m", "params": {"a": [1]}, "context": "c"}
    answer = server.http.post("/ingest/errors", json=error, headers=headers)
    send_checkout(server)
    return Known(deploy_id, changes.json()["items"][0]["id"], answer.json()["id"])


@pytest.mark.parametrize("scopes", [SCOPES, ("deploys:write",), ("read",), ()])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_server_keeps_to_its_document(
    server: Server, known: Known, path: str, method: str, scopes: tuple[str, ...]
) -> None:
    described = build_document()["paths"][path][method]
    operation = schemathesis.openapi.from_dict(build_document())[path][method]
    headers = {"Authorization": f"Bearer {server.make_key(*scopes)}"} if scopes else {}
    seen: list[int] = []

    def call(case: Case[Any]) -> None:
        # what is made up is never the id of what is there
        if "id" in case.path_parameters and len(seen) % 4:
            case.path_parameters["id"] = known.error if "/errors/" in path else known.deploy
        if "trace_id" in case.path_parameters and len(seen) % 4:
            case.path_parameters["trace_id"] = TRACE
        if path.endswith("/undo") and isinstance(case.body, dict) and len(seen) % 2:
            case.body = {**case.body, "change": known.change}
        if case.query and str(case.query.get("wait", "")) in LONG_WAITS:
            case.query["wait"] = "0"
        answer = case.call_and_validate(base_url=server.url, headers=headers, checks=CHECKS)
        seen.append(answer.status_code)

    modes = [GenerationMode.POSITIVE]
    if described["parameters"] or "requestBody" in described:
        modes.append(GenerationMode.NEGATIVE)
    for mode in modes:
        strategy: Any = operation.as_strategy(generation_mode=mode)
        settings(
            max_examples=EXAMPLES if scopes == SCOPES else EXAMPLES // 8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(case=strategy)(call))()
    if not described["security"]:
        assert set(seen) == {200}
    elif not scopes:
        assert set(seen) == {401}
    elif scopes == SCOPES:
        # the bulk is understood, so that more than the refusals is put to the test
        assert any(status < 300 for status in seen)
