"""The key of a call, as its holder may know it.

The docstring of each handler stands in the OpenAPI document.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.exceptions import Forbidden
from miniapm.web.auth import Caller
from miniapm.web.json_answers import answer_json


class KeyBody(msgspec.Struct, frozen=True):
    """A key without its secret. `env` and `service` are what it stands for where none is named."""

    name: str
    project: str
    scopes: list[str]
    env: str | None
    service: str | None


async def show_key(request: Request, caller: Caller) -> Response:
    """Shows the key that asks: its project, scopes, environment and service."""
    key = caller.key
    if key is None:
        raise Forbidden("This address is for keys.")
    return answer_json(KeyBody(key.name, key.project_slug, list(key.scopes), key.env, key.service))
