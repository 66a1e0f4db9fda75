"""Deploys that are left out of every number are not judged, and cut nobody's windows."""

import asyncio
from pathlib import Path

from miniapm.clock import HOUR, MINUTE
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import hide_deploy
from tests.conftest import FakeClock
from tests.storage.impact.served import T0, Service, open_judge

AT = T0 - 3 * HOUR


def _judged(connection: Connection) -> set[int]:
    return {row[0] for row in connection.execute("select deploy_id from impacts")}


def test_a_deploy_of_github_beside_the_api(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_judge(tmp_path / "miniapm.db", FakeClock(T0)) as judge:
            await Service(judge.database).serve(AT - 4 * HOUR, T0)
            first = await judge.deploy(AT, git_sha="aaaaaaa1")
            alone = await judge.judge(first)
            github = await judge.deploy(
                AT + 20 * MINUTE, git_sha="bbbbbbb2", source="github", external_id="deployment:1"
            )
            assert await judge.judge(first) == alone
            assert await judge.database.read(_judged) == {first}
            # once the API has told of nothing that counts, GitHub's is a deploy as any other
            act = Act("test", T0, judge.make_id)
            await judge.database.write(hide_deploy, act, 1, first)
            assert (await judge.judge(github)).deploy_id == github
            assert await judge.database.read(_judged) == {first, github}

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_a_verdict_follows_when_its_neighbour_is_left_out_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_judge(tmp_path / "miniapm.db", FakeClock(T0)) as judge:
            await Service(judge.database).serve(AT - 4 * HOUR, T0)
            gitlab = await judge.deploy(AT, git_sha="aaaaaaa1", source="gitlab")
            await judge.deploy(
                AT + 20 * MINUTE, git_sha="bbbbbbb2", source="github", external_id="deployment:1"
            )
            cut = await judge.judge(gitlab)
            judge.clock.move(1)
            # an earlier deploy of the API arrives late
            await judge.deploy(AT - 3 * HOUR, git_sha="ccccccc3")
            whole = await judge.judge(gitlab)
            assert (cut.next_at, whole.next_at) == (AT + 20 * MINUTE, None)

    asyncio.run(asyncio.wait_for(scenario(), 120))
