"""Senders with webhooks of their own: recorded payloads, signed as each of them signs."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from miniapm.domain.receivers.values import check_terms
from miniapm.storage.audit import Act
from miniapm.storage.projects import get_project
from miniapm.storage.receivers.receivers import create_receiver, revoke_receiver
from tests.conftest import Server

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
_numbers = count(1)


def recorded(name: str, **changes: Any) -> dict[str, Any]:
    """A recorded payload; `changes` are by path, with two underscores for each dot."""
    payload: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = payload
        for parent in parents:
            place = place[parent]
        if value is ...:
            del place[last]
        else:
            place[last] = deepcopy(value)
    return payload


@dataclass(frozen=True)
class Hook:
    """A receiver, as its sender knows it."""

    server: Server
    kind: str
    id: int
    path: str
    secret: str

    def send(
        self,
        payload: Mapping[str, Any] | bytes,
        event: str = "",
        *,
        delivery: str = "",
        headers: Mapping[str, str | bytes] | None = None,
        secret: str | None = None,
    ) -> httpx2.Response:
        """Signed with its secret, or another one; `headers` replace those that its sender sends."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent: dict[str, str | bytes] = {
            "Content-Type": "application/json",
            **self._frame(event, delivery),
            **sign(self.kind, self.secret if secret is None else secret, body),
            **(headers or {}),
        }
        encoded = [(name.encode(), _encode(value)) for name, value in sent.items()]
        return self.server.http.post(self.path, content=body, headers=encoded)

    def _frame(self, event: str, delivery: str) -> dict[str, str]:
        delivery = delivery or f"delivery {next(_numbers)}"
        if self.kind == "github":
            return {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery}
        if self.kind == "gitlab":
            return {"X-Gitlab-Event": event, "Idempotency-Key": delivery}
        if self.kind == "cdevents" and event:
            return {
                "ce-id": delivery,
                "ce-source": "/ci",
                "ce-type": event,
                "ce-specversion": "1.0",
            }
        return {}

    def revoke(self) -> None:
        context = self.server.running.context
        act = Act("test", self.server.clock(), context.make_id)
        self.server.run(context.database.write(revoke_receiver, act, self.id))


def _encode(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def sign(kind: str, secret: str, body: bytes) -> dict[str, str]:
    """The headers that prove the sender; none for those that cannot."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256)
    if kind == "github":
        return {"X-Hub-Signature-256": f"sha256={digest.hexdigest()}"}
    if kind == "gitlab":
        return {"X-Gitlab-Token": secret}
    if kind == "heroku":
        return {"Heroku-Webhook-Hmac-SHA256": base64.b64encode(digest.digest()).decode()}
    return {}


def make_hook(server: Server, kind: str, *, project: str = "default", **terms: Any) -> Hook:
    """A new receiver."""
    context = server.running.context
    found = server.run(context.database.read(get_project, project))
    act = Act("test", server.clock(), context.make_id)
    issued = server.run(
        context.database.write(create_receiver, act, found, check_terms(kind, **terms))
    )
    return Hook(server, kind, issued.receiver.id, issued.path, issued.receiver.secret)


def deploys(server: Server, columns: str = "git_sha, env, status") -> list[tuple[Any, ...]]:
    """What is stored, oldest first."""
    rows = server.rows(f"select {columns} from deploys order by deployed_at, id")
    return [tuple(row.values()) for row in rows]
