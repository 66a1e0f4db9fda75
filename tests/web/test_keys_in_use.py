"""Keys as senders use them: who may, how a key may be written, how fast an end holds."""

import os
import subprocess
import sys
import time
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.keys import DEPLOYS_WRITE, ERRORS_WRITE, READ, hash_secret, make_secret
from miniapm.storage import keys
from miniapm.storage.audit import Act
from miniapm.storage.once import write_once
from tests import factories
from tests.conftest import Server

SHA = "abc123def456789"


def post(server: Server, *authorization: str, **fields: Any) -> httpx2.Response:
    return server.http.post(
        "/ingest/deploys",
        json={"git_sha": SHA, **fields},
        headers=[("Authorization", value) for value in authorization],
    )


def find_id(server: Server, secret: str) -> int:
    [row] = server.rows("select id from keys where hash = :hash", hash=hash_secret(secret))
    return int(row["id"])


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", "{}"])
def test_a_key_comes_as_bearer_or_raw(server: Server, form: str) -> None:
    assert post(server, form.format(server.make_key())).status_code == 202


@pytest.mark.parametrize("form", ["", "Bearer", "Basic {}", "Token {}", "Bearer {}x"])
def test_anything_else_is_unauthorized(server: Server, form: str) -> None:
    answer = post(server, form.format(server.make_key()))
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert server.rows("select id from deploys") == []


def test_no_key_and_unknown_keys_are_told_apart_in_words_only(server: Server) -> None:
    missing, unknown = post(server), post(server, f"Bearer {make_secret()}")
    assert missing.status_code == unknown.status_code == 401
    assert "A key is needed" in missing.json()["message"]
    assert "Nobody knows this key" in unknown.json()["message"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "Bearer $MINIAPM_API_KEY",
            "The key is '$MINIAPM_API_KEY', which was not filled in before sending.",
        ),
        (
            "Bearer ${{ secrets.MINIAPM_API_KEY }}",
            "The key is '${{ secrets.MINIAPM_API_KEY }}', which was not filled in before sending.",
        ),
        ("Token KEY", "Write it as `Authorization: Bearer proj_...`."),
        ('Bearer "KEY"', "Write it as `Authorization: Bearer proj_...`."),
        ("Bearer $KEY", "Write it as `Authorization: Bearer proj_...`."),
        ("Bearer KEYx", "Nobody knows this key; check that it was copied whole."),
    ],
)
def test_the_answer_says_how_the_key_was_sent_wrongly(
    server: Server, header: str, message: str
) -> None:
    key = server.make_key()
    sent = header if "MINIAPM" in header else header.replace("KEY", key)
    answer = post(server, sent)
    assert (answer.status_code, answer.json()["message"]) == (401, message)
    [kept] = server.rows("select message from refusals")
    assert kept["message"] == message
    assert key not in answer.text
    read = server.http.get("/api/v1/deploys", headers={"Authorization": sent})
    assert (read.status_code, read.json()["message"]) == (401, message)


def test_a_key_that_is_over_is_forbidden_with_the_reason(server: Server) -> None:
    expiring = server.make_key(expires_at=server.clock() + HOUR)
    assert post(server, expiring).status_code == 202
    server.clock.move(HOUR)
    answer = post(server, expiring)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert "has expired" in answer.json()["message"]


def test_a_missing_scope_is_forbidden_and_named(server: Server) -> None:
    answer = post(server, server.make_key(READ, ERRORS_WRITE))
    assert answer.status_code == 403
    assert "deploys:write" in answer.json()["message"]
    assert server.rows("select id from deploys") == []


def test_the_key_stands_for_its_env_and_service(server: Server) -> None:
    key = server.make_key(DEPLOYS_WRITE, env="staging", service="web")
    post(server, key)
    post(server, key, env="production", service="shop")
    rows = server.rows("select env, service from deploys order by id")
    assert [(r["env"], r["service"]) for r in rows] == [("staging", "web"), ("production", "shop")]


def test_the_key_decides_the_project(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    answer = post(server, server.make_key(project="other"), project="default")
    assert answer.headers["location"].startswith("/p/other/deploys/")
    [row] = server.rows(
        "select p.slug, d.service from deploys d join projects p on p.id = d.project_id"
    )
    assert (row["slug"], row["service"]) == ("other", "other")


def test_last_use_is_kept_to_the_minute(server: Server) -> None:
    key = server.make_key()
    unused = server.make_key(name="unused")
    server.clock.move(MINUTE + 1)
    post(server, key)
    server.run(server.running.context.keyring.write_last_used())
    rows = server.rows("select hash, last_used_at from keys")
    used = {row["hash"]: row["last_used_at"] for row in rows}
    assert used[hash_secret(key)] == server.clock() - server.clock() % MINUTE
    assert used[hash_secret(unused)] is None


def until_forbidden(server: Server, key: str) -> float:
    """Seconds until the key stops working, at most five."""
    began = time.monotonic()
    while time.monotonic() - began < 5:
        if post(server, key).status_code == 403:
            break
    return time.monotonic() - began


def test_a_revocation_holds_within_a_second(server: Server) -> None:
    key = server.make_key()
    assert post(server, key).status_code == 202
    context = server.running.context
    act = Act("test", context.clock(), context.make_id)
    # another connection, in the very microsecond in which the key was made
    write_once(server.path, keys.revoke_key, act, find_id(server, key))
    assert until_forbidden(server, key) < 1.0
    assert "was revoked" in post(server, key).json()["message"]


def test_a_revocation_by_a_clock_that_goes_wrong_holds_too(server: Server) -> None:
    key, other = server.make_key(), server.make_key()
    context = server.running.context
    revoked = Act("test", context.clock() + HOUR, context.make_id)
    write_once(server.path, keys.revoke_key, revoked, find_id(server, other))
    server.run(context.keyring.refresh())
    late = Act("test", context.clock() - HOUR, context.make_id)
    write_once(server.path, keys.revoke_key, late, find_id(server, key))
    server.run(context.keyring.refresh())
    assert post(server, key).status_code == 403


def test_another_process_makes_and_revokes_keys(server: Server) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "miniapm", "keys", *arguments, "--db", str(server.path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        return done.stdout.strip()

    key = run("create", "ci")
    # known at once, without waiting for a refresh
    assert post(server, key).status_code == 202
    server.clock.instant = time.time_ns() // 1000
    run("revoke", str(find_id(server, key)))
    server.clock.move(MINUTE)
    assert until_forbidden(server, key) < 1.0


def test_a_rotated_key_works_until_its_overlap_ends(server: Server) -> None:
    key = server.make_key()
    context = server.running.context
    act = Act("test", context.clock(), context.make_id)
    issued = write_once(server.path, keys.rotate_key, act, find_id(server, key), DAY)
    server.run(context.keyring.refresh())
    assert post(server, key).status_code == post(server, issued.secret).status_code == 202
    server.clock.move(DAY)
    assert post(server, key).status_code == 403
    assert post(server, issued.secret).status_code == 202


def test_no_secret_is_stored(server: Server) -> None:
    key = server.make_key()
    post(server, key)
    post(server, key, title=5, description=f"Bearer {key}")
    contents = b"".join(
        part.read_bytes()
        for part in server.path.parent.iterdir()
        if part.name.startswith("miniapm.db") and part.is_file()
    )
    assert key.encode() not in contents
    assert hash_secret(key) in contents
