"""Calls as Datadog's clients make them."""

from typing import Any

import httpx2

from tests.conftest import Server


def ask(
    server: Server, method: str, path: str, body: Any = None, *scopes: str, **key: Any
) -> httpx2.Response:
    """The answer to a call with a new key."""
    headers = {"DD-API-KEY": server.make_key(*(scopes or ("deploys:write",)), **key)}
    return server.http.request(method, path, json=body, headers=headers)
