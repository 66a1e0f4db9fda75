"""The errors in the OpenAPI document: which of them an operation may answer, and with what."""

import re
from typing import Any, NamedTuple

from miniapm.exceptions import (
    Busy,
    Conflict,
    Forbidden,
    Invalid,
    MiniapmError,
    NotFound,
    TooLarge,
    Unauthorized,
)
from miniapm.web.auth import PUBLIC, Access
from miniapm.web.errors import ErrorBody, Internal
from miniapm.web.openapi_operations import Operation

JsonObject = dict[str, Any]
REFS = "#/components/schemas/{name}"


class Failure(NamedTuple):
    """An error that an operation may answer; what is below ASGI has no exception."""

    status: int
    name: str
    headers: tuple[str, ...] = ()


_OVERSIZED_HEADERS = Failure(431, "HeadersTooLarge")
_TOO_SLOW = Failure(408, "RequestTimeout")
_HEADERS = {
    "WWW-Authenticate": "`Bearer`",
    "Retry-After": "Seconds after which it is worth another try",
    "X-Request-Id": "Find it in the log",
}


def list_failures(operation: Operation, path: str, access: Access) -> list[Failure]:
    """The errors of an operation at `path`, by status."""
    found = [_OVERSIZED_HEADERS, _TOO_SLOW, _of(Invalid), _of(Busy), _of(Internal)]
    if access != PUBLIC:
        found += [_of(Unauthorized), _of(Forbidden)]
    # a browser may name a project that it may not see
    if "{" in path or operation.query is not None:
        found.append(_of(NotFound))
    if operation.body is not None:
        found.append(_of(TooLarge))
    if operation.is_ingest:
        found.append(_of(Conflict))
    return sorted(found)


def _of(error: type[MiniapmError]) -> Failure:
    headers = {
        Unauthorized: ("WWW-Authenticate",),
        Busy: ("Retry-After",),
        Internal: ("X-Request-Id",),
    }
    return Failure(error.status, error.__name__, headers.get(error, ()))


def describe_failure(failure: Failure, media_type: str) -> JsonObject:
    """The response object; `media_type` is how the operation words its errors."""
    text = {"type": "string"}
    json = {"$ref": REFS.format(name=ErrorBody.__name__)}
    # what goes wrong below ASGI is JSON everywhere
    below = failure in (_OVERSIZED_HEADERS, _TOO_SLOW) or failure.status == Invalid.status
    content = {media_type: {"schema": text if media_type == "text/plain" else json}}
    if below:
        content["application/json"] = {"schema": json}
    described: JsonObject = {
        "description": re.sub(r"(?<!^)(?=[A-Z])", " ", failure.name).capitalize(),
        "content": content,
    }
    if failure.headers:
        described["headers"] = {
            name: {"description": _HEADERS[name], "required": True, "schema": text}
            for name in failure.headers
        }
    return described
