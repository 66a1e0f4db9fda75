"""A call of another service's client as it was captured; `KEY` stands where its key was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.conftest import Server

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SHOP = "https://github.com/acme/shop"
SHA = "102836a25f5477e571c73d489b3f0f183687068e"
ANSIBLE = {"User-Agent": "ansible-httpget"}


@dataclass(frozen=True)
class ClientCall:
    """One call, the answer that its client insists on, and the deploy that it is, if it is one.

    `find_message` finds the sentence in an error of the client's shape.
    """

    name: str
    path: str
    status: int
    content: str
    deploy: dict[str, Any]
    find_message: Callable[[Any], str]
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON
    answer: Any = None

    def send(self, server: Server, key: str, content: str | None = None) -> httpx2.Response:
        """Sends it with this key, or with another body."""
        return self.post(server.http, key, content)

    def post(self, http: httpx2.Client, key: str, content: str | None = None) -> httpx2.Response:
        """As `send`, by the client's way to a server."""
        headers = {name: value.replace("KEY", key).strip() for name, value in self.headers.items()}
        body = self.content if content is None else content
        return http.post(
            self.path.replace("KEY", key),
            content=body.replace("KEY", key),
            headers={"Content-Type": self.content_type, **headers},
        )
