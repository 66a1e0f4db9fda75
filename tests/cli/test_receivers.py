"""`miniapm receivers`: addresses made, listed and revoked, beside a server or without one."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from miniapm.domain.receivers.values import KINDS, SIGNING
from miniapm.domain.tokens import hash_token
from miniapm.storage.receivers.receivers import MOST_PER_PROJECT
from tests.cli.conftest import Command, Done
from tests.cli.served import serving
from tests.web.receivers.hooks import recorded, sign


def read_made(done: Done) -> tuple[str, str]:
    """The address and the secret that were printed."""
    assert done.code == 0, done.err
    address, *secrets = done.out.splitlines()
    return address, "".join(secrets)


@pytest.mark.parametrize("kind", KINDS)
def test_create_prints_the_address_and_the_secret_once(miniapm: Command, kind: str) -> None:
    done = miniapm("receivers", "create", kind, "--env", "live", "--service", "web")
    address, secret = read_made(done)
    assert address.startswith(f"http://127.0.0.1:3000/hooks/{kind}/")
    assert done.out.count("\n") == (2 if kind in SIGNING else 1)
    token = address.rpartition("/")[2]
    assert token not in done.err
    [row] = miniapm.rows("select * from receivers")
    assert (row["kind"], row["env"], row["service"]) == (kind, "live", "web")
    assert (row["address_hash"], row["secret"]) == (hash_token(token), secret)
    if secret:
        assert secret not in done.err
    listed = miniapm("receivers", "list")
    assert token not in listed.out
    assert row["display"] == token[:6]
    assert row["display"] in listed.out
    [entry] = miniapm.rows("select action, subject from audit")
    assert entry == {"action": "receiver.create", "subject": kind}


def test_list_and_revoke(miniapm: Command) -> None:
    assert "receivers create" in miniapm("receivers", "list").err
    arguments = ("--workflow", "deploy.yml", "--workflow", "Hotfix", "--branch", "main")
    miniapm("receivers", "create", "github", *arguments)
    [row] = json.loads(miniapm("receivers", "list", "--json").out)
    assert row["workflows"] == ["deploy.yml", "Hotfix"]
    assert (row["branch"], row["state"], row["project"]) == ("main", "valid", "default")
    assert row["last_delivery_at"] is row["outcome"] is row["deploy_id"] is None
    assert "secret" not in row
    assert miniapm("receivers", "revoke", row["id"]).code == 0
    [row] = json.loads(miniapm("receivers", "list", "--json", "--project", "default").out)
    assert row["state"] == "revoked"
    [first] = miniapm.rows("select revoked_at from receivers")
    assert miniapm("receivers", "revoke", row["id"]).code == 0
    assert miniapm.rows("select revoked_at from receivers") == [first]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("create", "gitea"), "must be one of github, gitlab"),
        (("create", "github", "--env", "x" * 101), "name of a env must be at most 100"),
        (("create", "heroku", "--workflow", "x"), "Only github has workflows"),
        (("create", "coolify", "--branch", "x"), "Only github and gitlab tell of branches"),
        (("create", "github", "--workflow", " "), "name of a workflow is missing"),
        (("create", "github", *[f"--workflow=x{n}" for n in range(21)]), "at most 20"),
        (("create", "github", "--project", "none"), "There are: default"),
        (("revoke", "5"), "There is no receiver 5"),
        (("revoke", "five"), "five"),
    ],
)
def test_wrong_use(miniapm: Command, arguments: tuple[str, ...], expected: str) -> None:
    done = miniapm("receivers", *arguments)
    assert done.code == 2
    assert expected in done.err
    assert done.out == ""
    assert miniapm.rows("select * from receivers") == []


def test_no_more_than_so_many(miniapm: Command) -> None:
    for _ in range(MOST_PER_PROJECT):
        assert miniapm("receivers", "create", "coolify").code == 0
    done = miniapm("receivers", "create", "coolify")
    assert done.code == 2
    assert "revoke one" in done.err


def test_beside_a_running_server(command: Command, tmp_path: Path) -> None:
    payload = json.dumps(recorded("github/deployment_status.success")).encode()
    with serving(tmp_path) as served:
        address, secret = read_made(command("receivers", "create", "github"))
        path = urlsplit(address).path

        def send() -> httpx2.Response:
            headers = {"X-GitHub-Event": "deployment_status", **sign("github", secret, payload)}
            return httpx2.post(f"{served.address}{path}", content=payload, headers=headers)

        assert send().status_code == 202
        assert len(command.rows("select * from deploys")) == 1
        [row] = json.loads(command("receivers", "list", "--json").out)
        [deploy] = command.rows("select id from deploys")
        assert (row["outcome"], row["deploy_id"]) == ("a deploy", str(deploy["id"]))
        assert row["last_delivery_at"] is not None
        command("receivers", "revoke", str(row["id"]))
        assert send().status_code == 403
        _, out, err = served.stop()
        # the address and the secret stand in no log
        for text in (path.rpartition("/")[2], secret):
            assert text not in out + err


def test_the_setting_lets_deploys_of_github_count(command: Command, tmp_path: Path) -> None:
    payload = json.dumps(recorded("github/deployment_status.success")).encode()
    marks = "select sources, is_left_out from deploys order by deployed_at"
    with serving(tmp_path) as served:
        address, secret = read_made(command("receivers", "create", "github"))
        key = command("keys", "create", "ci").out.strip()
        body = {"git_sha": "c0ffee1", "timestamp": "2019-05-15T00:00:00Z"}
        bearer = {"Authorization": f"Bearer {key}"}
        httpx2.post(f"{served.address}/ingest/deploys", json=body, headers=bearer)
        headers = {"X-GitHub-Event": "deployment_status", **sign("github", secret, payload)}
        httpx2.post(f"{served.address}{urlsplit(address).path}", content=payload, headers=headers)
        served.stop()
    left_out = [
        {"sources": "api", "is_left_out": 0},
        {"sources": "github", "is_left_out": 1},
    ]
    assert command.rows(marks) == left_out
    with serving(tmp_path, MINIAPM_DELIVERY_GITHUB_BESIDE_API="count"):
        assert [row["is_left_out"] for row in command.rows(marks)] == [0, 0]
    with serving(tmp_path):
        assert command.rows(marks) == left_out
