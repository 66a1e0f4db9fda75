"""Every receiver and everything that it takes, against all that may come: the right status, and the
right row or none."""

import gzip
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import pytest

from miniapm.clock import DAY
from miniapm.domain.receivers.values import KINDS, SIGNING
from tests.conftest import Server
from tests.web.receivers.hook_samples import SENDERS, Sender
from tests.web.receivers.hooks import Hook, make_hook, sign


def test_no_receiver_is_left_out() -> None:
    assert {sender.kind for sender in SENDERS.values()} == set(KINDS)


# what may come


def be_valid(hook: Hook, sender: Sender) -> httpx2.Response:
    return hook.send(sender.said, sender.event)


def be_replayed(hook: Hook, sender: Sender) -> httpx2.Response:
    first = hook.send(sender.said, sender.event, delivery="one")
    hook.server.clock.move(DAY)
    again = hook.send(sender.said, sender.event, delivery="one")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("location") == first.headers.get("location")
    return again


def be_something_else(hook: Hook, sender: Sender) -> httpx2.Response:
    answer = hook.send(sender.other, sender.other_event)
    assert answer.json()["result"] == "nothing stored"
    assert answer.json()["reason"].endswith(".")
    return answer


def lack_a_field(hook: Hook, sender: Sender) -> httpx2.Response:
    answer = hook.send(sender.incomplete, sender.event)
    assert sender.missing in answer.json()["fields"]
    assert sender.missing in answer.json()["message"]
    return answer


def send_bytes(body: bytes) -> Callable[[Hook, Sender], httpx2.Response]:
    def send(hook: Hook, sender: Sender) -> httpx2.Response:
        answer = hook.send(body, sender.event)
        assert answer.json()["error"] == "invalid"
        return answer

    return send


def _be_longer(hook: Hook, sender: Sender) -> bytes:
    """More than it may be; valid but for that."""
    limits = hook.server.running.context.config.limits
    limit = limits.telemetry_body_bytes if sender.is_push else limits.deploy_body_bytes
    return json.dumps({**sender.said, "padding": "x" * limit}).encode()


def be_too_long(hook: Hook, sender: Sender) -> httpx2.Response:
    return hook.send(_be_longer(hook, sender), sender.event)


def inflate_too_far(hook: Hook, sender: Sender) -> httpx2.Response:
    body = gzip.compress(_be_longer(hook, sender), mtime=0)
    return hook.send(body, sender.event, headers={"Content-Encoding": "gzip"})


def go_to_a_revoked_address(hook: Hook, sender: Sender) -> httpx2.Response:
    hook.revoke()
    return hook.send(sender.said, sender.event)


def go_nowhere(hook: Hook, sender: Sender) -> httpx2.Response:
    return Hook(hook.server, hook.kind, 0, f"/hooks/{hook.kind}/{'x' * 43}", hook.secret).send(
        sender.said, sender.event
    )


def be_signed_by_another(hook: Hook, sender: Sender) -> httpx2.Response:
    other = make_hook(hook.server, hook.kind)
    answer = hook.send(sender.said, sender.event, secret=other.secret)
    assert "another secret" in answer.json()["message"]
    return answer


def sign_another_body(hook: Hook, sender: Sender) -> httpx2.Response:
    return hook.send(sender.said, sender.event, headers=sign(hook.kind, hook.secret, b"{}"))


def have_no_signature(hook: Hook, sender: Sender) -> httpx2.Response:
    [name] = sign(hook.kind, hook.secret, b"")
    answer = hook.send(sender.said, sender.event, headers={name: ""})
    assert answer.headers["www-authenticate"] == "Bearer"
    assert f"The header {name} is missing" in answer.json()["message"]
    return answer


class Case(NamedTuple):
    """What comes, how it is answered, how many rows it leaves; and how many deliveries are known
    and calls are kept as refused then."""

    act: Callable[[Hook, Sender], httpx2.Response]
    status: int
    rows: int = 0
    deliveries: int = 0
    refusals: int = 1


CASES = {
    "valid": Case(be_valid, 202, rows=1, deliveries=1, refusals=0),
    "replayed": Case(be_replayed, 202, rows=1, deliveries=1, refusals=0),
    "unknown-event": Case(be_something_else, 200, deliveries=1, refusals=0),
    "missing-field": Case(lack_a_field, 400),
    "no-json": Case(send_bytes(b'{"a": '), 400),
    "no-object": Case(send_bytes(b"[]"), 400),
    "nothing": Case(send_bytes(b""), 400),
    "a-key-twice": Case(send_bytes(b'{"a": 1, "a": 2}'), 400),
    "no-utf-8": Case(send_bytes(b'{"a": "\xff"}'), 400),
    "oversized": Case(be_too_long, 413),
    "oversized-inflated": Case(inflate_too_far, 413),
    "revoked": Case(go_to_a_revoked_address, 403),
    "no-address": Case(go_nowhere, 404),
}
OF_SECRETS = {
    "another-secret": Case(be_signed_by_another, 401),
    "no-signature": Case(have_no_signature, 401),
}
OF_BODIES = {"another-body": Case(sign_another_body, 401)}


def list_cases(sender: Sender) -> dict[str, Case]:
    """Those that can be: not every sender signs, and GitLab signs no body."""
    of_secrets = OF_SECRETS if sender.kind in SIGNING else {}
    of_bodies = OF_BODIES if sender.kind in SIGNING - {"gitlab"} else {}
    return CASES | of_secrets | of_bodies


MATRIX = [
    pytest.param(sender, case, id=f"{name}-{what}")
    for name, sender in SENDERS.items()
    for what, case in list_cases(sender).items()
]


def rows_of(server: Server, sender: Sender) -> list[tuple[Any, ...]]:
    columns = "sha, branch" if sender.is_push else "git_sha, env, service, status"
    table = "pushed_commits" if sender.is_push else "deploys"
    return [tuple(row.values()) for row in server.rows(f"select {columns} from {table}")]


def count(server: Server, table: str) -> int:
    return int(server.rows(f"select count(*) as n from {table}")[0]["n"])


@pytest.mark.parametrize(("sender", "case"), MATRIX)
def test_what_comes(server: Server, sender: Sender, case: Case) -> None:
    hook = make_hook(server, sender.kind, workflows=sender.workflows)
    answer = case.act(hook, sender)
    assert answer.status_code == case.status, answer.text
    assert hook.secret == "" or hook.secret not in answer.text
    assert rows_of(server, sender) == [sender.row] * case.rows
    assert count(server, "deploys") + count(server, "pushed_commits") == case.rows
    assert count(server, "deploy_ids") == (0 if sender.is_push else case.rows)
    assert count(server, "receiver_deliveries") == case.deliveries
    refused = server.rows("select project_id, route, status from refusals")
    assert [row["status"] for row in refused] == [case.status] * case.refusals
    for row in refused:
        # under the address as the list of receivers shows it; nobody's where nobody has it
        is_known = case.status != 404
        shown = hook.path[: hook.path.rindex("/") + 7] + "\N{HORIZONTAL ELLIPSIS}"
        route = shown if is_known else f"/hooks/{hook.kind}/{{address}}"
        assert (row["route"], row["project_id"] != 0) == (route, is_known)
