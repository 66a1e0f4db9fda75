"""Deploys of clients are written together, as those of our own address are."""

import asyncio
import logging

import pytest
from starlette.types import Message

from miniapm.storage.deploys.record import Recorded
from miniapm.web.receivers.calls import ForeignCall
from tests.conftest import Server
from tests.factories import make_announcement


async def _receive() -> Message:
    return {"type": "http.request", "body": b""}


def test_two_in_one_group(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    project_id = server.rows("select id from projects")[0]["id"]
    scope = {"type": "http", "method": "POST", "query_string": b"", "headers": []}
    call = ForeignCall(server.running.context, scope, _receive)

    async def record() -> list[Recorded]:
        said = (make_announcement(project_id=project_id, git_sha=sha) for sha in ("a1", "b2"))
        return await asyncio.gather(*(call.record(one) for one in said))

    with caplog.at_level(logging.WARNING):
        recorded = server.run(record())
    assert [one.is_new for one in recorded] == [True, True]
    rows = server.rows("select id, git_sha from deploys order by git_sha")
    assert [row["id"] for row in rows] == [one.deploy_id for one in recorded]
    assert caplog.records == []
