"""Traces that a server was sent, and its jobs run at once."""

import secrets
from collections.abc import Sequence

from miniapm.app import list_jobs
from miniapm.clock import MINUTE
from tests.conftest import Server
from tests.factories import START
from tests.otlp import MS, Group, Span, write_json, write_protobuf

BASE = START + MINUTE - START % MINUTE
"""A whole minute, as rollups count them."""


def send_traces(
    server: Server,
    key: str,
    minutes: float,
    *,
    version: str = "",
    revision: str = "",
    service: str = "shop",
    env: str = "production",
    count: int = 1,
) -> None:
    """Requests that a release served so long after BASE, by protobuf as an SDK sends them."""
    named = {
        "service.name": service,
        "deployment.environment.name": env,
        "service.version": version,
        "vcs.ref.head.revision": revision,
    }
    start = (BASE + round(minutes * MINUTE)) * 1000
    spans = [
        Span(
            trace_id=secrets.token_bytes(16),
            span_id=secrets.token_bytes(8),
            start=start,
            end=start + 20 * MS,
            attributes={"http.request.method": "GET", "http.route": "/"},
        )
        for _ in range(count)
    ]
    group = Group(spans, {name: value for name, value in named.items() if value})
    post_traces(server, key, [group])


def post_traces(
    server: Server, key: str, groups: Sequence[Group], *, as_json: bool = False
) -> None:
    """One request, of which all is taken."""
    media_type = "application/json" if as_json else "application/x-protobuf"
    answer = server.http.post(
        "/v1/traces",
        content=(write_json if as_json else write_protobuf)(groups),
        headers={"authorization": f"Bearer {key}", "content-type": media_type},
    )
    assert (answer.status_code, answer.content) == (200, b"{}" if as_json else b"")


def run_job(server: Server, name: str) -> None:
    """The job of this name, now."""
    [job] = [job for job in list_jobs(server.running.context) if job.name == name]

    async def run() -> None:
        await job.run()

    server.run(run())


def digest(server: Server) -> None:
    """Brings rollups and deploys up to what was sent."""
    run_job(server, "flush rollups")
    run_job(server, "look at releases")
