"""`Idempotency-Key`: the same answer, nothing stored, for seven days, whatever happens between."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, MINUTE
from miniapm.jobs import Job
from tests import factories
from tests.conftest import Server

SHA = "abc123def456789"


def post(
    server: Server, key: str, idempotency_key: str, path: str = "/ingest/deploys", **fields: Any
) -> httpx2.Response:
    body = (
        {"git_sha": SHA}
        if path == "/ingest/deploys"
        else {
            "commitSha": SHA,
            "environmentName": "production",
        }
    )
    return server.http.post(
        path,
        json={**body, **fields},
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key},
    )


def count(server: Server) -> int:
    return len(server.rows("select id from deploys"))


@pytest.mark.parametrize(("path", "status"), [("/ingest/deploys", 202), ("/deployments", 201)])
def test_the_same_call_answers_the_same(server: Server, path: str, status: int) -> None:
    key = server.make_key()
    first = post(server, key, "k", path, title="t")
    server.clock.move(3 * DAY)
    again = post(server, key, "k", path, title="t")
    assert first.status_code == again.status_code == status
    assert (again.content, again.headers["location"]) == (first.content, first.headers["location"])
    assert count(server) == 1


@pytest.mark.parametrize("path", ["/ingest/deploys", "/deployments"])
def test_another_body_is_a_conflict(server: Server, path: str) -> None:
    key = server.make_key()
    post(server, key, "k", path)
    answer = post(server, key, "k", path, title="other")
    assert answer.status_code == 409
    if path == "/ingest/deploys":
        assert answer.json()["error"] == "conflict"
    else:
        assert answer.headers["content-type"].startswith("text/plain")
    assert server.rows("select title from deploys") == [{"title": None}]


def test_a_fresh_key_tells_deploys_apart(server: Server) -> None:
    key = server.make_key()
    first, second = post(server, key, "k1"), post(server, key, "k2")
    assert first.headers["location"] != second.headers["location"]
    assert count(server) == 2


def test_start_and_end_fold_under_different_keys(server: Server) -> None:
    key = server.make_key()
    post(server, key, "k1", status="started")
    server.clock.move(MINUTE)
    post(server, key, "k2", status="succeeded")
    assert server.rows("select status from deploys") == [{"status": "succeeded"}]


def test_routes_and_projects_have_their_own(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    key, theirs = server.make_key(), server.make_key(project="other")
    for answer in (
        post(server, key, "k"),
        post(server, key, "k", "/deployments"),
        post(server, theirs, "k", title="other"),
    ):
        assert answer.is_success
    assert count(server) == 3
    # keys of one project share them
    assert post(server, server.make_key(), "k").is_success
    assert count(server) == 3


def test_it_is_forgotten_after_seven_days(server: Server) -> None:
    key = server.make_key()
    post(server, key, "k")
    server.clock.move(7 * DAY - 1)
    assert post(server, key, "k", title="other").status_code == 409
    server.clock.move(1)
    assert post(server, key, "k", title="other").status_code == 202
    assert count(server) == 2


def test_the_job_forgets_them(server: Server) -> None:
    from miniapm.app import list_jobs

    post(server, server.make_key(), "k")
    server.clock.move(7 * DAY + 1)
    job: Job = next(j for j in list_jobs(server.running.context) if "retries" in j.name)

    async def forget() -> None:
        await job.run()

    server.run(forget())
    assert server.rows("select key from idempotency") == []


def test_a_refused_call_is_not_remembered(server: Server) -> None:
    key = server.make_key()
    assert post(server, key, "k", timestamp="soon").status_code == 400
    assert post(server, key, "k").status_code == 202


@pytest.mark.parametrize("value", ["", "x" * 256, "a\tb"])
def test_a_key_that_cannot_be_one_is_named(server: Server, value: str) -> None:
    answer = post(server, server.make_key(), value)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"Idempotency-Key"}
    assert count(server) == 0


def test_gzip_of_the_same_body_is_the_same_body(server: Server) -> None:
    import gzip

    key = server.make_key()
    headers = {"Authorization": key, "Idempotency-Key": "k"}
    plain = server.http.post("/ingest/deploys", content=b'{"git_sha": "a"}', headers=headers)
    packed = server.http.post(
        "/ingest/deploys",
        content=gzip.compress(b'{"git_sha": "a"}'),
        headers={**headers, "Content-Encoding": "gzip"},
    )
    assert packed.headers["location"] == plain.headers["location"]


SERVE = """
import asyncio, sys
from pathlib import Path
import msgspec
from miniapm.app import run_server
from miniapm.config import Config
from tests import factories

def announce(running):
    async def tell():
        secret = await factories.insert_key(running.context, ("deploys:write",))
        print(running.address, secret, flush=True)
    tasks.append(asyncio.ensure_future(tell()))

tasks = []
config = msgspec.convert({"server": {"port": 0}, "storage": {"path": sys.argv[1]}}, Config)
asyncio.run(run_server(config, announce))
"""


class Process:
    """A server in a process of its own that can be killed."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        assert self.process.stdout is not None
        self.address, self.key = self.process.stdout.readline().split()

    def post(self, title: str) -> httpx2.Response:
        with httpx2.Client(base_url=self.address) as http:
            return http.post(
                "/ingest/deploys",
                json={"git_sha": SHA, "title": title},
                headers={"Authorization": self.key, "Idempotency-Key": "k"},
            )

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=20)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_survives_the_process(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "miniapm.db"
    first = Process(path)
    try:
        location = first.post("t").headers["location"]
    finally:
        first.end(how)
    second = Process(path)
    try:
        again = second.post("t")
        assert (again.status_code, again.headers["location"]) == (202, location)
        assert second.post("other").status_code == 409
    finally:
        second.end(signal.SIGTERM)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from deploys").fetchone() == (1,)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
