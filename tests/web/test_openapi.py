"""The OpenAPI document: valid, complete, true to the tables and structs that it is made from."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from miniapm import __version__
from miniapm.domain.deploys.corrections import CORRECTABLE
from miniapm.web.ingest.otlp import explain_as_status
from miniapm.web.openapi import build_document
from miniapm.web.openapi_operations import OPERATIONS
from miniapm.web.routes import INGEST_ROUTES, ROUTES
from tests.conftest import Server

PAGES = ("/api/", "/health", "/readyz")


@pytest.fixture
def document() -> dict[str, Any]:
    return build_document()


def list_operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }


def test_it_is_served_to_everybody(server: Server) -> None:
    answer = server.http.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == build_document()
    assert answer.json()["info"]["version"] == __version__


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_validator_can_refuse(document: dict[str, Any]) -> None:
    document["paths"]["/api/v1/deploys"]["get"]["responses"] = []
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_every_route_that_is_no_page_stands_in_it_and_nothing_else(
    document: dict[str, Any],
) -> None:
    routed = {(r.method, r.path) for r in ROUTES if r.path.startswith(PAGES)}
    ours = [route for route in INGEST_ROUTES if route.explain is not explain_as_status]
    routed |= {("POST", route.path) for route in ours}
    assert list_operations(document) == routed
    used = {r.endpoint for r in ROUTES} | {r.handler for r in INGEST_ROUTES}
    assert set(OPERATIONS) <= used


def test_every_operation_says_what_it_does_and_what_it_needs(document: dict[str, Any]) -> None:
    access = {(r.method, r.path): (r.access.scopes, r.access.role) for r in ROUTES}
    access |= {("POST", r.path): (r.scopes, None) for r in INGEST_ROUTES}
    names = set()
    for method, path in list_operations(document):
        operation = document["paths"][path][method.lower()]
        names.add(operation["operationId"])
        assert operation["summary"].endswith("."), path
        scopes, role = access[method, path]
        expected = [{"key": [scope]} for scope in scopes]
        expected += [{"session": []}] if role else []
        assert operation["security"] == expected, path
        assert ("401" in operation["responses"]) == bool(scopes), path
    assert len(names) == len(list_operations(document))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def find_references(node: object) -> set[str]:
        if isinstance(node, dict):
            found = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return found.union(*(find_references(value) for value in node.values()))
        if isinstance(node, list):
            return set().union(*(find_references(value) for value in node))
        return set()

    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert find_references(document) == schemas


def test_the_payload_has_its_other_names_and_takes_more(document: dict[str, Any]) -> None:
    payload = document["components"]["schemas"]["DeployPayload"]
    assert {"env", "environment", "timestamp", "deployed_at"} <= set(payload["properties"])
    assert payload["required"] == ["git_sha"]
    assert payload.get("additionalProperties", True) is True


def test_a_correction_takes_what_may_be_corrected_and_nothing_else(
    document: dict[str, Any],
) -> None:
    patch = document["components"]["schemas"]["DeployPatch"]
    assert set(patch["properties"]) == {*CORRECTABLE, "environment", "deployed_at"}
    assert patch["additionalProperties"] is False
    assert "required" not in patch
