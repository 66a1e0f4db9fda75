"""Deploys are judged when their looks come, when telemetry comes late, when they are changed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import edit_deploy, hide_deploy, restore_deploy, undo_change
from miniapm.storage.impact.candidates import find_due
from miniapm.storage.impact.judge import Rule
from miniapm.storage.impact.past import AGAIN_SECONDS
from miniapm.storage.impact.replays import SETTLE_US
from miniapm.storage.impact.verdicts import find_impact, find_transitions
from miniapm.storage.impact.watch import MOST_CHANGED, MOST_DEPLOYS, ImpactWatch
from tests.conftest import FakeClock
from tests.factories import make_occurrence
from tests.storage.impact.served import KEEP, T0, Judge, Service, open_judge

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

    run(tmp_path, test)


def test_nothing_changed(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        deploy_id = await judge.deploy(AT)
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("final", "unchanged")

    run(tmp_path, test)


def test_looks_come_one_after_the_other(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        judge.clock.instant = AT
        deploy_id = await judge.deploy(AT)
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict, impact.look) == ("pending", "not_enough_data", None)
        assert impact.next_look_at == AT + 7 * MINUTE + SETTLE_US

        # slower for twenty minutes, then as before
        await service.serve(AT, AT + 20 * MINUTE, us=160_000, per_minute=60)
        judge.clock.instant = AT + 12 * MINUTE + SETTLE_US
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("provisional", "regressed")
        assert impact.next_look_at == AT + 32 * MINUTE + SETTLE_US

        await service.serve(AT + 20 * MINUTE, AT + 70 * MINUTE, per_minute=60)
        judge.clock.instant = AT + 62 * MINUTE + SETTLE_US
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("withdrawn", "unchanged")
        assert impact.next_look_at is None
        assert "has passed" in impact.sentence
        found = await judge.database.read(find_transitions, 1, deploy_id)
        assert [(one.state, one.verdict) for one in found] == [
            ("pending", "not_enough_data"),
            ("provisional", "regressed"),
            ("withdrawn", "unchanged"),
        ]
        assert [one.look for one in found] == [None, 10, 60]

    run(tmp_path, test)


def test_telemetry_that_comes_late_is_judged_at_once(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        deploy_id = await judge.deploy(AT)
        impact = await judge.judge(deploy_id)
        assert impact.verdict == "not_enough_data"
        await service.serve(AT, T0, us=160_000)
        assert (await judge.judge(deploy_id)).verdict == "regressed"

    run(tmp_path, test)


def test_a_deploy_that_is_moved_is_judged_where_it_stands(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, AT + 8 * HOUR, us=160_000)
        judge.clock.instant = AT + 8 * HOUR
        deploy_id = await judge.deploy(AT)
        assert (await judge.judge(deploy_id)).verdict == "regressed"
        act = Act("anna", judge.clock(), judge.make_id)
        moved = {"timestamp": to_rfc3339(AT + 4 * HOUR)}
        changed = await judge.database.write(edit_deploy, act, 1, deploy_id, moved)
        assert (await judge.judge(deploy_id)).verdict != "regressed"
        assert changed.change_id is not None
        await judge.database.write(undo_change, act, 1, deploy_id, changed.change_id)
        assert (await judge.judge(deploy_id)).verdict == "regressed"

    run(tmp_path, test)


def test_the_next_deploy_cuts_the_windows_until_it_is_hidden(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0, us=160_000)
        deploy_id = await judge.deploy(AT)
        following = await judge.deploy(AT + 4 * MINUTE, git_sha="bbbbbbb2")
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("superseded", "not_enough_data")
        assert impact.next_at == AT + 4 * MINUTE
        act = Act("anna", judge.clock(), judge.make_id)
        await judge.database.write(hide_deploy, act, 1, following)
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("final", "regressed")
        await judge.database.write(restore_deploy, act, 1, following)
        assert (await judge.judge(deploy_id)).state == "superseded"

    run(tmp_path, test)


def test_a_service_without_telemetry_cannot_be_judged(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        deploy_id = await judge.deploy(AT, service="mail")
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("final", "not_enough_data")
        assert "there is no telemetry of mail in production" in impact.sentence

    run(tmp_path, test)


def test_environments_and_services_are_judged_apart(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        staging = Service(judge.database, env="staging", seed=2)
        await staging.serve(AT - 2 * DAY, AT)
        await staging.serve(AT, T0, us=160_000)
        await service.serve(AT, T0)
        other = await judge.deploy(AT, env="staging")
        deploy_id = await judge.deploy(AT)
        assert (await judge.judge(deploy_id)).verdict == "unchanged"
        assert (await judge.judge(other)).verdict == "regressed"

    run(tmp_path, test)


def test_a_new_error_is_a_regression(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        deploy_id = await judge.deploy(AT)
        assert (await judge.judge(deploy_id)).verdict == "unchanged"
        store = judge.database.telemetry
        old = [make_occurrence(happened_at=AT - DAY, exception_class="Old")]
        await judge.database.write(store.record_errors, 1, old)
        for minutes in (3, 20, 40, 41):
            at = AT + minutes * MINUTE
            both = [
                make_occurrence(happened_at=at, exception_class=name) for name in ("Old", "New")
            ]
            await judge.database.write(store.record_errors, 1, both)
        impact = await judge.judge(deploy_id)
        assert impact.verdict == "regressed"
        [error] = impact.errors
        assert (error.exception_class, error.is_new, error.count, error.blocks) == (
            "New", True, 4, 3,
        )  # fmt: skip
        assert "brought the new error New" in impact.sentence

    run(tmp_path, test)


def test_errors_of_a_service_that_was_not_heard_before_are_shown_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_judge(tmp_path / "miniapm.db", FakeClock(T0)) as judge:
            service = Service(judge.database)
            deploy_id = await judge.deploy(AT)
            await service.serve(AT, T0)
            errors = [make_occurrence(happened_at=AT + m * MINUTE) for m in (3, 20, 40, 41)]
            await judge.database.write(judge.database.telemetry.record_errors, 1, errors)
            impact = await judge.judge(deploy_id)
            assert impact.verdict == "not_enough_data"
            [error] = impact.errors
            assert (error.is_new, error.count, error.counts) == (True, 4, False)

    asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.parametrize(
    ("heard_at", "verdict"),
    [
        (AT - 3 * MINUTE, "not_enough_data"),
        (AT - 35 * DAY, "not_enough_data"),
        (AT - 20 * MINUTE, "regressed"),
        (AT - 2 * DAY, "regressed"),
    ],
)
def test_new_errors_count_where_there_is_a_past_to_be_new_in(
    tmp_path: Path, heard_at: int, verdict: str
) -> None:
    async def scenario() -> None:
        async with open_judge(tmp_path / "miniapm.db", FakeClock(T0)) as judge:
            await Service(judge.database).serve(AT, T0)
            store, write = judge.database.telemetry, judge.database.write
            past = make_occurrence(happened_at=heard_at, exception_class="Old")
            await write(store.record_errors, 1, [past])
            deploy_id = await judge.deploy(AT)
            errors = [make_occurrence(happened_at=AT + m * MINUTE) for m in (3, 20, 40, 41)]
            await write(store.record_errors, 1, errors)
            assert (await judge.judge(deploy_id)).verdict == verdict

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_with_little_past_it_is_learning(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_judge(tmp_path / "miniapm.db", FakeClock(T0)) as judge:
            service = Service(judge.database)
            await service.serve(AT - 3 * HOUR, AT)
            await service.serve(AT, T0, us=130_000)
            deploy_id = await judge.deploy(AT)
            impact = await judge.judge(deploy_id)
            assert impact.is_learning
            assert impact.verdict != "regressed"
            assert any("Learning" in reason for reason in impact.reasons)

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_another_job_after_a_start_judges_nothing_twice(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        deploy_id = await judge.deploy(AT)
        first = await judge.judge(deploy_id)
        judge.clock.move(MINUTE)
        again = Judge(judge.database, judge.clock)
        assert (await again.judge(deploy_id)).computed_at == first.computed_at
        found = await judge.database.read(find_transitions, 1, deploy_id)
        assert [one.state for one in found] == ["final"]

    run(tmp_path, test)


def test_versions_that_serve_together_are_compared_with_each_other(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        # everything got slower at once, the new version as much as the old one
        await service.serve(AT, T0, us=200_000, version="v1", per_minute=30)
        await service.serve(AT, T0, us=200_000, version="v2", per_minute=30)
        deploy_id = await judge.deploy(AT, version="v2")
        await judge.database.write(link, "v2", deploy_id)
        impact = await judge.judge(deploy_id)
        [endpoint] = impact.endpoints
        assert endpoint.same_time
        assert impact.verdict == "unchanged"

    run(tmp_path, test)


def test_a_canary_that_is_slower_than_the_others_is_called_so(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0, version="v1", per_minute=40)
        await service.serve(AT, T0, us=160_000, version="v2", per_minute=8)
        deploy_id = await judge.deploy(AT, version="v2")
        await judge.database.write(link, "v2", deploy_id)
        impact = await judge.judge(deploy_id)
        assert impact.verdict == "regressed"
        assert any("at the same time" in reason for reason in impact.reasons)

    run(tmp_path, test)


def test_a_version_that_came_hours_later_is_not_judged_by_what_served_meanwhile(
    tmp_path: Path,
) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, AT + 90 * MINUTE, version="v1")
        await service.serve(AT + 90 * MINUTE, T0, version="v2")
        deploy_id = await judge.deploy(AT, version="v2")
        await judge.database.write(link, "v2", deploy_id)
        impact = await judge.judge(deploy_id)
        assert (impact.state, impact.verdict) == ("final", "not_enough_data")
        assert "was first seen in telemetry 1 h after it" in impact.sentence

    run(tmp_path, test)


def link(connection: Connection, version: str, deploy_id: int) -> None:
    """Tells a release that it is a deploy, as the look at releases does."""
    connection.execute(
        "update releases set deploy_id = :deploy_id where version = :version",
        {"deploy_id": deploy_id, "version": version},
    )


def test_minutes_are_replayed_where_they_are_compared_and_nowhere_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_judge(tmp_path / "miniapm.db", FakeClock(T0)) as judge:
            for minute in (51, 52):
                await judge.database.write(clear_queue)
                at = AT + minute * MINUTE
                judge.database.telemetry.stirred.forget_all()
                await Service(judge.database).serve(at, at + MINUTE)
                queued = await judge.database.read(find_queue)
                assert queued == [AT + n * HOUR for n in ((-1, 0, 1) if minute < 52 else (0, 1))]

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_an_hour_that_is_still_growing_is_not_replayed_at_every_look(tmp_path: Path) -> None:
    seconds = 1000.0

    async def test(judge: Judge, service: Service) -> None:
        nonlocal seconds
        watch = ImpactWatch(
            judge.database, judge.clock, judge.make_id, Rule(5000.0), KEEP, lambda: seconds
        )
        hour = AT - 30 * MINUTE
        for passed, is_left in ((0, False), (2, True), (AGAIN_SECONDS, False)):
            seconds += passed
            await service.serve(hour, hour + MINUTE)
            await watch.look()
            assert bool(await judge.database.read(find_queue)) is is_left
        await service.serve(hour, hour + MINUTE)
        await watch.look_at_all()
        assert await judge.database.read(find_queue) == []

    run(tmp_path, test)


def clear_queue(connection: Connection) -> None:
    connection.execute("delete from replay_hours")


def find_queue(connection: Connection) -> list[int]:
    return [row[0] for row in connection.execute("select hour from replay_hours order by hour")]


def test_what_was_acknowledged_before_the_deploy_is_judged_with_it(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await judge.watch.look_at_all()
        await service.serve(AT, T0, us=160_000, flushed=False)
        deploy_id = await judge.deploy(AT)
        for _ in range(5):
            await judge.watch.look()
        found = await judge.database.read(find_transitions, 1, deploy_id)
        assert [(one.state, one.verdict) for one in found] == [("final", "regressed")]

    run(tmp_path, test)


def test_hidden_deploys_whose_look_is_due_hold_up_nobody(tmp_path: Path) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        at = T0 - 9 * MINUTE
        hidden = [
            await judge.deploy(at, service=f"s{n}", git_sha=f"{n:040x}")
            for n in range(MOST_DEPLOYS)
        ]
        await judge.watch.look_at_all()
        act = Act("anna", judge.clock(), judge.make_id)
        for deploy_id in hidden:
            await judge.database.write(hide_deploy, act, 1, deploy_id)
        last = await judge.deploy(at + MINUTE)
        await judge.watch.look_at_all()
        judge.clock.move(6 * MINUTE)
        await judge.watch.look()
        await judge.watch.look()
        impact = await judge.database.read(find_impact, 1, last)
        assert impact is not None
        assert dict(impact.looks)[10]
        assert await judge.database.read(find_due, judge.clock(), 500) == []

    run(tmp_path, test)


def test_many_that_changed_at_one_instant_and_never_went_live_hold_up_nobody(
    tmp_path: Path,
) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        for n in range(MOST_CHANGED + 1):
            await judge.deploy(AT, service=f"s{n}", status="failed")
        judge.clock.move(1)
        deploy_id = await judge.deploy(AT)
        assert (await judge.judge(deploy_id)).state == "final"

    run(tmp_path, test)


def test_a_deploy_that_cannot_be_judged_holds_up_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(judge: Judge, service: Service) -> None:
        await service.serve(AT, T0)
        broken = await judge.deploy(AT, service="broken")
        await judge.watch.look_at_all()
        await judge.database.write(break_evidence, broken)
        again = Judge(judge.database, judge.clock)
        await judge.database.write(touch, broken)
        deploy_id = await judge.deploy(AT)
        await again.watch.look()
        await again.watch.look()
        impact = await judge.database.read(find_impact, 1, deploy_id)
        assert impact is not None
        assert impact.state == "final"
        assert f"the deploy {broken} cannot be judged" in caplog.text

    run(tmp_path, test)


def break_evidence(connection: Connection, deploy_id: int) -> None:
    connection.execute(
        "update impacts set evidence = x'00' where deploy_id = :id", {"id": deploy_id}
    )


def touch(connection: Connection, deploy_id: int) -> None:
    connection.execute(
        "update deploys set updated_at = updated_at + 1 where id = :id", {"id": deploy_id}
    )
