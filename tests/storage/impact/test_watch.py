"""Deploys are judged when their looks come, when telemetry comes late, when they are changed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from miniapm.clock import DAY, HOUR
from tests.conftest import FakeClock
from tests.storage.impact.served import T0, Judge, Service, open_judge

AT = T0 - 2 * HOUR


def run(path: Path, test: Callable[[Judge, Service], Awaitable[None]]) -> None:
    """Runs `test` over a service whose last two days are served until AT."""

    async def scenario() -> None:
        async with open_judge(path / "miniapm.db", FakeClock(T0)) as judge:
            service = Service(judge.database)
            await service.serve(AT - 2 * DAY, AT)
            await test(judge, service)

    asyncio.run(asyncio.wait_for(scenario(), 120))


def test_a_slower_endpoint_is_called_so(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0, us=160_000)
        deploy_id = await judge.deploy(AT)
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("final", "regressed")
        assert not impact.is_learning
        [endpoint] = impact.endpoints
        assert endpoint.name == "GET /"
        change = endpoint.find_change("p50")
        assert change is not None
        assert change.verdict == "regressed"
        assert 0.4 < change.after / change.before - 1 < 0.8
        assert "GET /" in impact.sentence
        assert impact.reasons
        print(impact.sentence, impact.reasons, impact.looks, change)

    run(tmp_path, test)


def test_nothing_changed(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        deploy_id = await judge.deploy(AT)
        impact = await judge.judge(deploy_id)
        print(impact.sentence, impact.reasons, impact.looks, impact.endpoints)
        assert (impact.state, impact.verdict) == ("final", "unchanged")

    run(tmp_path, test)
