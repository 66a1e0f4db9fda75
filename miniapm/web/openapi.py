"""The OpenAPI document: made from the route table, the handlers' docstrings, and the structs that
decode and encode. Only what those cannot say stands in `openapi_operations.py`."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_args

import msgspec

from miniapm import __version__
from miniapm.domain.deploys.corrections import CORRECTABLE, OVERRULED
from miniapm.domain.deploys.payload import ALIASES, DeployPayload
from miniapm.domain.deploys.values import Overruled
from miniapm.domain.errors.payload import ALIASES as ERROR_ALIASES
from miniapm.domain.errors.payload import ErrorPayload
from miniapm.domain.spans.requests import ALIASES as REQUEST_ALIASES
from miniapm.domain.spans.requests import RequestPayload
from miniapm.web.auth import PUBLIC, SESSION_COOKIE, Access
from miniapm.web.errors import ErrorBody
from miniapm.web.ingest.deploys import explain_as_text
from miniapm.web.ingest.otlp import explain_as_status
from miniapm.web.openapi_failures import REFS, describe_failure, list_failures
from miniapm.web.openapi_operations import DEPLOY_PATCH, OPERATIONS, Operation
from miniapm.web.routes import INGEST_ROUTES, ROUTES

JsonObject = dict[str, Any]


@cache
def render_document() -> bytes:
    """The document, the same for everybody, as JSON."""
    return msgspec.json.encode(build_document())


def build_document() -> JsonObject:
    """OpenAPI 3.1 for every route in the tables that is neither a page nor OpenTelemetry's own."""
    paths: dict[str, JsonObject] = {}
    for ingest in INGEST_ROUTES:
        if ingest.explain is explain_as_status:
            continue
        paths[ingest.path] = {
            "post": _describe(
                ingest.handler,
                ingest.path,
                Access(ingest.scopes),
                "text/plain" if ingest.explain is explain_as_text else "application/json",
            )
        }
    for route in ROUTES:
        if route.endpoint in OPERATIONS:
            described = _describe(route.endpoint, route.path, route.access, "application/json")
            paths.setdefault(route.path, {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "miniapm",
            "version": __version__,
            "description": "Deploys in and out. Instants are RFC 3339 in UTC, ids are strings. "
            "Answers may gain fields; clients ignore those that they do not know.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _build_schemas(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of one project; the scope that a call needs is named "
                    "beside it.",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
        },
    }


def _describe(
    handler: Callable[..., Any], path: str, access: Access, error_type: str
) -> JsonObject:
    operation = OPERATIONS[handler]
    summary, _, description = (inspect.getdoc(handler) or "").partition("\n")
    described: JsonObject = {
        "operationId": handler.__name__,
        "summary": summary,
        "description": _describe_access(description, access),
        "security": _list_security(access),
        "parameters": [*_list_path_parameters(path), *_list_query(operation.query)],
        "responses": {
            **{str(s): _describe_answer(s, a, operation) for s, a in operation.answers.items()},
            **{
                str(failure.status): describe_failure(failure, error_type)
                for failure in list_failures(operation, path, access)
                if failure.status not in operation.answers
            },
        },
    }
    if operation.is_ingest:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    if operation.body is not None:
        name = operation.body if isinstance(operation.body, str) else operation.body.__name__
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REFS.format(name=name)}}},
        }
    return described


_IDEMPOTENCY_KEY: JsonObject = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes sending again safe for 7 days: the answer is the same, nothing is "
    "stored twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def _describe_access(description: str, access: Access) -> str:
    text = " ".join(description.split())
    if access == PUBLIC:
        return f"{text} Needs no key.".strip()
    scopes = " or ".join(f"`{scope}`" for scope in access.scopes)
    browser = f", or a signed-in {access.role}" if access.role else ""
    return f"{text} Needs a key with {scopes}{browser}.".strip()


def _list_security(access: Access) -> list[JsonObject]:
    keys: list[JsonObject] = [{"key": [scope]} for scope in access.scopes]
    return [*keys, {"session": []}] if access.role else keys


def _list_path_parameters(path: str) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _list_query(query: type[msgspec.Struct] | None) -> list[JsonObject]:
    if query is None:
        return []
    _, components = msgspec.json.schema_components([query], ref_template=REFS)
    parameters = []
    for name, schema in components[query.__name__]["properties"].items():
        given = _without_null(schema)
        if given.get("default", "") is None:
            del given["default"]
        description = given.pop("description", None)
        about = {"description": description} if description else {}
        parameters.append({"name": name, "in": "query", **about, "schema": given})
    return parameters


def _without_null(schema: JsonObject) -> JsonObject:
    options = [o for o in schema.get("anyOf", []) if o != {"type": "null"}]
    if len(options) != 1:
        return dict(schema)
    return {**{k: v for k, v in schema.items() if k != "anyOf"}, **options[0]}


def _describe_answer(status: int, body: type | str | None, operation: Operation) -> JsonObject:
    answer: JsonObject = {"description": _DESCRIPTIONS[status]}
    if body is None:
        answer["description"] += "; the body is empty"
    if isinstance(body, str):
        schema = {"type": "string"} if body.startswith("text/") else {"type": "object"}
        answer["content"] = {body: {"schema": schema}}
    elif body is not None:
        ref = {"$ref": REFS.format(name=body.__name__)}
        answer["content"] = {"application/json": {"schema": ref}}
    if operation.is_ingest:
        where = {"description": "The deploy's page", "schema": {"type": "string"}}
        answer["headers"] = {"Location": {**where, "required": True}}
    return answer


_DESCRIPTIONS = {
    200: "Done",
    201: "Stored",
    202: "Stored",
    204: "Done",
    503: "Not now",
}


def _build_schemas() -> dict[str, JsonObject]:
    structs: list[type] = [ErrorBody]
    for operation in OPERATIONS.values():
        structs += [a for a in operation.answers.values() if isinstance(a, type)]
        structs += [operation.body] if isinstance(operation.body, type) else []
    _, schemas = msgspec.json.schema_components(structs, ref_template=REFS)
    payload = schemas[DeployPayload.__name__]
    _add_aliases(payload["properties"], ALIASES)
    _add_aliases(schemas[ErrorPayload.__name__]["properties"], ERROR_ALIASES)
    _add_aliases(schemas[RequestPayload.__name__]["properties"], REQUEST_ALIASES)
    schemas[DEPLOY_PATCH] = _to_patch(payload["properties"])
    return schemas


def _add_aliases(properties: JsonObject, aliases: Mapping[str, str]) -> None:
    for alias, name in aliases.items():
        properties[alias] = {
            **properties[name],
            "description": f"The same as `{name}`; given twice, both must agree",
        }


def _to_patch(properties: JsonObject) -> JsonObject:
    """The fields that may be corrected, by the rules of the way in."""
    kept = {
        name: {k: v for k, v in schema.items() if k != "default"}
        for name, schema in properties.items()
        if ALIASES.get(name, name) in CORRECTABLE
    }
    kept[OVERRULED] = {
        "description": "What a person says: it failed, or it was fine; null takes that back",
        "anyOf": [{"enum": sorted(get_args(Overruled))}, {"type": "null"}],
    }
    return {
        "title": DEPLOY_PATCH,
        "description": "The fields to change; null or blank text empties one. `git_sha`, `env`, "
        "`service`, `timestamp` and `status` cannot be empty.",
        "type": "object",
        "properties": kept,
        "additionalProperties": False,
    }
