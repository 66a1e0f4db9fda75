"""The job that tells webhooks: each event once, kept until it arrives, never too many."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.errors.groups import open_group
from miniapm.domain.errors.values import Group
from miniapm.domain.scrubbing import Scrubber, make_scrubber
from miniapm.domain.webhooks.attempts import MOST_ATTEMPTS
from miniapm.posting import post
from miniapm.storage.audit import Act
from miniapm.storage.deploys.change import edit_deploy, hide_deploy
from miniapm.storage.errors.groups import insert_group
from miniapm.storage.projects import Project, delete_project, insert_project
from miniapm.storage.webhooks.deliveries import KEPT_PER_WEBHOOK
from miniapm.storage.webhooks.webhooks import delete_webhook, rotate_secret
from tests.conftest import FakeClock
from tests.factories import START, make_occurrence
from tests.impacts import make_endpoint
from tests.receiver import Call, Receiver, receiving
from tests.storage.webhooks.telling import ADDRESS, Telling, telling


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[Telling]:
    with telling(tmp_path / "miniapm.db", clock) as running:
        yield running


def events_of(receiver: Receiver) -> list[str]:
    return [call.json["type"] for call in receiver.calls]


def test_a_deploy_is_told_once_and_signed(house: Telling, receiver: Receiver) -> None:
    webhook = house.add_webhook(receiver)
    deploy_id = house.add_deploy(version="v1.2")
    for _ in range(3):
        house.tell()
    [call] = receiver.calls
    assert call.is_signed_with(webhook.secret)
    assert call.json["type"] == "deploy.recorded"
    assert call.json["data"]["deploy"]["id"] == str(deploy_id)
    assert call.json["data"]["page"] == f"{ADDRESS}/p/shop/deploys/{deploy_id}"
    [row] = house.rows("select * from webhook_deliveries")
    assert (row["state"], row["status"], row["attempts"]) == ("delivered", 204, 1)
    assert (row["next_attempt_at"], row["problem"]) == (None, "")
    assert row["tried_at"] == house.clock()
    assert call.headers["webhook-id"] == f"msg_{row['id']}"


def test_an_old_secret_signs_until_it_is_over(house: Telling, receiver: Receiver) -> None:
    old = house.add_webhook(receiver)
    new = house.write(rotate_secret, act(house), old.id, DAY)
    assert new.secret != old.secret

    def tell() -> Call:
        house.add_deploy(git_sha=f"sha{house.clock()}")
        house.tell()
        return receiver.calls[-1]

    house.clock.move(DAY - SECOND)
    call = tell()
    assert call.is_signed_with(new.secret)
    assert call.is_signed_with(old.secret)
    house.clock.move(SECOND)
    call = tell()
    assert call.is_signed_with(new.secret)
    assert not call.is_signed_with(old.secret)
    # and is kept no longer
    [row] = house.rows("select secret, old_secret, old_secret_until from webhooks")
    assert row == {"secret": new.secret, "old_secret": None, "old_secret_until": None}


def test_a_secret_that_was_found_out_ends_at_once(house: Telling, receiver: Receiver) -> None:
    old = house.add_webhook(receiver)
    house.write(rotate_secret, act(house), old.id, DAY)
    new = house.write(rotate_secret, act(house), old.id, 0)
    house.add_deploy()
    house.tell()
    assert receiver.calls[-1].headers["webhook-signature"].count("v1,") == 1
    assert receiver.calls[-1].is_signed_with(new.secret)
    assert house.rows("select old_secret from webhooks") == [{"old_secret": None}]


def act(house: Telling) -> Act:
    return Act("test", house.clock(), house.make_id)


def test_only_what_comes_after_a_webhook_is_told(house: Telling, receiver: Receiver) -> None:
    house.add_deploy(git_sha="before")
    house.add_error()
    house.clock.move(SECOND)
    house.add_webhook(receiver)
    house.tell()
    assert receiver.calls == []
    house.clock.move(SECOND)
    house.add_deploy(git_sha="after")
    house.tell()
    assert [call.json["data"]["deploy"]["git_sha"] for call in receiver.calls] == ["after"]


def test_a_started_deploy_is_told_at_its_end(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver)
    deploy_id = house.add_deploy(status="started")
    house.tell()
    assert receiver.calls == []
    house.clock.move(MINUTE)
    finish(house, deploy_id, "failed")
    house.tell()
    assert [call.json["data"]["deploy"]["status"] for call in receiver.calls] == ["failed"]


def finish(house: Telling, deploy_id: int, status: str) -> None:
    def update(connection: Any) -> None:
        connection.execute(
            "update deploys set status = :status, updated_at = :at, deployed_at = :at "
            "where id = :id",
            {"status": status, "at": house.clock(), "id": deploy_id},
        )

    house.write(update)


def test_history_is_no_news(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver)
    old = house.add_deploy(deployed_at=START - 2 * DAY)
    house.judge(old)
    house.add_error(happened_at=START - 2 * DAY)
    house.tell()
    assert house.deliveries() == []
    assert receiver.calls == []


def test_corrections_and_hidden_deploys_are_not_told(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver)
    deploy_id = house.add_deploy()
    house.tell()
    house.clock.move(HOUR)
    finish(house, deploy_id, "failed")
    hidden = house.add_deploy(git_sha="bbbbbbb2")
    house.write(hide_deploy, Act("ann", house.clock(), house.make_id), 1, hidden)
    house.tell()
    assert len(receiver.calls) == 1


def test_each_webhook_hears_what_it_listens_to(house: Telling, receiver: Receiver) -> None:
    with receiving() as other:
        house.add_webhook(receiver, "error.new")
        house.add_webhook(other, "deploy.recorded", "error.new")
        house.add_deploy()
        house.add_error()
        house.tell()
        assert events_of(receiver) == ["error.new"]
        assert events_of(other) == ["deploy.recorded", "error.new"]


def test_projects_do_not_hear_of_each_other(house: Telling, receiver: Receiver) -> None:
    other = Project(2, "other", "Other", START)
    house.write(insert_project, other)
    house.add_webhook(receiver, project=other)
    house.add_deploy()
    house.add_error()
    house.tell()
    assert receiver.calls == []
    house.add_deploy(project_id=2)
    house.tell()
    assert [call.json["data"]["project"] for call in receiver.calls] == ["other"]


def test_a_verdict_through_its_looks(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver, "verdict.reached", "verdict.regressed", "verdict.recovered")
    deploy_id = house.add_deploy(version="v2")
    looks = [("pending", None), ("provisional", 10), ("withdrawn", 30)]
    verdicts = ["not_enough_data", "regressed", "unchanged"]
    for (state, minutes), verdict in zip(looks, verdicts, strict=True):
        house.clock.move(10 * MINUTE)
        endpoints = (make_endpoint(verdict=verdict),)
        house.judge(deploy_id, state=state, minutes=minutes, endpoints=endpoints)
        house.tell()
        house.tell()
    assert events_of(receiver) == ["verdict.regressed", "verdict.recovered", "verdict.reached"]
    regressed, recovered, _ = [call.json["data"]["impact"] for call in receiver.calls]
    assert (regressed["state"], regressed["verdict"]) == ("provisional", "regressed")
    assert regressed["previous_verdict"] == "not_enough_data"
    assert "POST /checkout" in regressed["sentence"]
    assert len(regressed["reasons"]) > 1
    assert "p95" in regressed["reasons"][0]
    assert (recovered["state"], recovered["previous_verdict"]) == ("withdrawn", "regressed")


def test_the_next_deploy_may_repair_it(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver, "verdict.recovered")
    bad = house.add_deploy(version="v1")
    house.judge(bad)
    house.clock.move(HOUR)
    good = house.add_deploy(version="v2", git_sha="bbbbbbb2")
    house.judge(good, endpoints=(make_endpoint(verdict="improved"),))
    house.tell()
    [call] = receiver.calls
    assert call.json["data"]["deploy"]["version"] == "v2"


def test_an_error_is_told_without_its_secrets(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver, "error.new")
    group_id = house.add_error(message="login with password=hunter2-hunter2 failed")
    house.tell()
    [call] = receiver.calls
    assert b"hunter2" not in call.body
    assert call.json["data"]["error"]["page"] == f"{ADDRESS}/p/shop/errors/{group_id}"
    assert "hunter2" not in str(house.rows("select body from webhook_deliveries"))


def test_own_names_are_scrubbed_too(tmp_path: Path, clock: FakeClock, receiver: Receiver) -> None:
    path = tmp_path / "miniapm.db"
    with telling(path, clock, scrubber=make_scrubber("badge_no")) as house:
        house.add_webhook(receiver)
        house.add_error(message="badge_no=12345678")
        house.tell()
    [call] = receiver.calls
    assert b"12345678" not in call.body


def test_settings_that_name_our_own_fields_stop_nothing(
    tmp_path: Path, clock: FakeClock, receiver: Receiver
) -> None:
    ours = make_scrubber("state,status,verdict,reasons,impact,deploy,error")
    with telling(tmp_path / "miniapm.db", clock, scrubber=ours) as house:
        house.add_webhook(receiver)
        house.judge(house.add_deploy())
        house.add_error()
        house.tell()
    assert len(receiver.calls) == 4
    impact = receiver.calls[1].json["data"]["impact"]
    assert (impact["state"], impact["verdict"]) == ("final", "regressed")


class Choking(Scrubber):
    """Cannot read one text."""

    def scrub_text(self, text: str) -> str:
        if "choke" in text:
            raise RuntimeError(text)
        return super().scrub_text(text)


def test_what_cannot_be_told_holds_up_nothing_else(
    tmp_path: Path, clock: FakeClock, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with telling(tmp_path / "miniapm.db", clock, scrubber=Choking()) as house:
        house.add_webhook(receiver)
        house.add_error(message="choke")
        house.add_error(message="fine")
        house.tell()
        house.tell()
    assert [call.json["data"]["error"]["message"] for call in receiver.calls] == ["fine"]
    assert [one.message.partition(" ")[0] for one in caplog.records] == ["error.new"]


def test_a_project_that_cannot_be_read_holds_up_no_other(
    house: Telling, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    house.write(insert_project, Project(2, "other", "Other", START))
    house.add_webhook(receiver)
    house.add_webhook(receiver, project=Project(2, "other", "Other", START))
    judged = house.add_deploy()
    house.judge(judged)
    house.add_deploy(project_id=2)

    def spoil(connection: Any) -> None:
        connection.execute("update impacts set evidence = x'00'")

    house.write(spoil)
    house.tell()
    assert [call.json["data"]["project"] for call in receiver.calls] == ["other"]
    assert [one.message for one in caplog.records] == ["the news of project shop cannot be read"]


def test_a_chat_gets_one_message_of_a_verdict(house: Telling, receiver: Receiver) -> None:
    with receiving() as program:
        house.add_webhook(receiver, form="slack")
        house.add_webhook(receiver, "verdict.reached", form="slack")
        house.add_webhook(program, "verdict.reached", "verdict.regressed")
        house.judge(house.add_deploy())
        house.tell()
        assert sorted(events_of(program)) == ["verdict.reached", "verdict.regressed"]
    told = house.rows(
        "select webhook_id, event from webhook_deliveries "
        "where body like '{\"text\"%' and event like 'verdict.%' order by webhook_id"
    )
    assert [row["event"] for row in told] == ["verdict.regressed", "verdict.reached"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"timestamp": "2025-10-09T08:00:00Z"}, []),
        ({"title": "Faster"}, ["verdict.recovered", "verdict.reached"]),
    ],
)
def test_a_correction_is_no_recovery(
    house: Telling, receiver: Receiver, given: dict[str, str], told: list[str]
) -> None:
    house.add_webhook(receiver, "verdict.reached", "verdict.regressed", "verdict.recovered")
    deploy_id = house.add_deploy(deployed_at=START - HOUR)
    house.judge(deploy_id)
    house.tell()
    receiver.calls.clear()
    house.clock.move(MINUTE)
    house.write(edit_deploy, act(house), 1, deploy_id, given)
    house.clock.move(10 * SECOND)
    house.judge(deploy_id, endpoints=(make_endpoint(verdict="unchanged"),))
    house.tell()
    assert events_of(receiver) == told
    house.clock.move(HOUR)
    house.judge(deploy_id)
    house.tell()
    assert events_of(receiver)[len(told) :] == ["verdict.regressed", "verdict.reached"]


def test_a_correction_that_shows_a_regression_is_told(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver, "verdict.reached", "verdict.regressed", "verdict.recovered")
    deploy_id = house.add_deploy(deployed_at=START - HOUR)
    house.judge(deploy_id, endpoints=(make_endpoint(verdict="unchanged"),))
    house.tell()
    receiver.calls.clear()
    house.clock.move(MINUTE)
    house.write(edit_deploy, act(house), 1, deploy_id, {"timestamp": "2025-10-09T08:00:00Z"})
    house.judge(deploy_id)
    house.tell()
    assert events_of(receiver) == ["verdict.regressed"]


def test_slack_gets_text(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver, form="slack")
    house.add_deploy(version="v1", title="<!channel> hello")
    house.tell()
    [call] = receiver.calls
    assert list(call.json) == ["text"]
    assert "&lt;!channel&gt; hello" in call.json["text"]


def test_what_fails_is_tried_again_with_the_same_id(house: Telling) -> None:
    with receiving((500, {}), (503, {"retry-after": "300"})) as receiver:
        house.add_webhook(receiver)
        house.add_deploy()
        house.tell()
        house.tell()
        assert len(receiver.calls) == 1
        [row] = house.rows("select * from webhook_deliveries")
        assert (row["state"], row["status"]) == ("waiting", 500)
        assert row["problem"] == "it answers 500"
        assert row["next_attempt_at"] == house.clock() + 30 * SECOND
        house.clock.move(30 * SECOND)
        house.tell()
        [row] = house.rows("select * from webhook_deliveries")
        assert row["next_attempt_at"] == house.clock() + 300 * SECOND
        house.clock.move(300 * SECOND)
        house.tell()
        assert house.deliveries() == [("deploy.recorded", "delivered", 3)]
        assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
        assert len({call.body for call in receiver.calls}) == 1
        assert len({call.headers["webhook-timestamp"] for call in receiver.calls}) == 3


def test_it_gives_up_in_the_end(house: Telling) -> None:
    with receiving(*[(500, {})] * 20) as receiver:
        house.add_webhook(receiver)
        house.add_deploy()
        for _ in range(MOST_ATTEMPTS + 3):
            house.tell()
            house.clock.move(9 * HOUR)
        assert house.deliveries() == [("deploy.recorded", "failed", MOST_ATTEMPTS)]
        assert len(receiver.calls) == MOST_ATTEMPTS


def test_what_waits_behind_a_failure_waits_with_it(house: Telling) -> None:
    with receiving((500, {})) as receiver:
        house.add_webhook(receiver)
        first, second = house.add_deploy(), house.add_deploy(git_sha="bbbbbbb2")
        house.tell()
        assert len(receiver.calls) == 1
        house.clock.move(30 * SECOND)
        house.tell()
        told = [call.json["data"]["deploy"]["id"] for call in receiver.calls]
        assert told == [str(first), str(first), str(second)]


def test_gone_turns_it_off(house: Telling) -> None:
    with receiving((410, {})) as receiver:
        house.add_webhook(receiver)
        house.add_deploy()
        house.add_error()
        house.tell()
        house.add_error()
        house.clock.move(DAY)
        house.tell()
        assert len(receiver.calls) == 1
        [row] = house.rows("select disabled_at from webhooks")
        assert row["disabled_at"] == START
        assert [state for _, state, _ in house.deliveries()] == ["failed", "failed"]


def test_a_killed_server_goes_on_where_it_stopped(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "miniapm.db"
    with receiving((500, {})) as receiver:
        with telling(path, clock) as house:
            webhook = house.add_webhook(receiver)
            house.add_deploy()
            house.tell()
        assert len(receiver.calls) == 1
        clock.move(30 * SECOND)
        # between the two, a deploy that nobody looked at, as the command line records it
        with telling(path, clock) as house:
            house.add_deploy(git_sha="bbbbbbb2")
        with telling(path, clock) as house:
            house.tell()
            house.tell()
            assert [state for _, state, _ in house.deliveries()] == ["delivered"] * 2
        assert all(call.is_signed_with(webhook.secret) for call in receiver.calls)
        ids = [call.headers["webhook-id"] for call in receiver.calls]
        assert (len(ids), len(set(ids))) == (3, 2)


def test_what_another_process_commits_late_is_told(house: Telling, receiver: Receiver) -> None:
    house.add_webhook(receiver)
    late = house.clock()
    house.clock.move(5 * MINUTE)
    house.add_deploy()
    house.tell()
    house.add_deploy(git_sha="bbbbbbb2", at=late)
    house.tell()
    assert len(receiver.calls) == 2


def test_the_hourly_cap_sums_up(tmp_path: Path, clock: FakeClock, receiver: Receiver) -> None:
    with telling(tmp_path / "miniapm.db", clock, per_hour=4) as house:
        house.add_webhook(receiver)
        for _ in range(7):
            house.add_error()
        house.tell()
        # half of the room is left for what matters more
        assert events_of(receiver) == ["error.new"] * 2
        for number in range(3):
            house.add_deploy(git_sha=f"{number}aaaaaaa")
        house.tell()
        assert events_of(receiver)[2:] == ["deploy.recorded"] * 2
        house.clock.move(HOUR)
        house.tell()
        held = receiver.calls[4].json
        assert held["type"] == "webhook.held"
        assert held["data"]["held"]["counts"] == {"deploy.recorded": 1, "error.new": 5}
        assert held["data"]["held"]["since"] == "2025-10-09T08:53:20Z"
        house.tell()
        assert len(receiver.calls) == 5
        assert house.rows("select * from webhook_held") == []
        house.add_error()
        house.tell()
        assert len(receiver.calls) == 6


def test_more_than_one_look_finds_is_found_by_the_next(
    tmp_path: Path, clock: FakeClock, receiver: Receiver
) -> None:
    with telling(tmp_path / "miniapm.db", clock, per_hour=200) as house:
        house.add_webhook(receiver)
        groups = [make_group(house, number) for number in range(450)]

        def insert(connection: Any) -> None:
            for group in groups:
                insert_group(connection, group)

        house.write(insert)
        for _ in range(4):
            house.tell()
        [row] = house.rows("select count(*) as told from webhook_deliveries")
        [held] = house.rows("select count from webhook_held")
        assert row["told"] + held["count"] == 450
        assert len(house.rows("select * from webhook_seen")) == 450


def make_group(house: Telling, number: int) -> Group:
    return open_group(house.make_id(), 1, make_occurrence(exception_class=f"E{number}"))


def test_the_log_is_bounded_and_what_waits_stays(house: Telling) -> None:
    with receiving() as receiver:
        house.add_webhook(receiver)
        for _ in range(8):
            house.clock.move(HOUR)
            for _ in range(30):
                house.add_error()
            house.tell()
            house.clock.move(2 * SECOND)
            while any(state == "waiting" for _, state, _ in house.deliveries()):
                house.tell()
        assert len(receiver.calls) == 240
        assert len(house.deliveries()) == KEPT_PER_WEBHOOK


def test_a_slow_receiver_holds_up_nobody(tmp_path: Path, clock: FakeClock) -> None:
    impatient = partial(post, allow_private=True, seconds=0.5)
    with receiving() as slow, receiving() as quick:
        slow.silence = threading.Event()
        with telling(tmp_path / "miniapm.db", clock, post=impatient) as house:
            house.add_webhook(slow)
            house.add_webhook(quick)
            for number in range(5):
                house.add_deploy(git_sha=f"{number}aaaaaaa")
            house.tell()
            assert len(quick.calls) == 5
            # one try that took its time; what is behind it waits without any
            assert len(slow.calls) == 1
            problems = [row["problem"] for row in house.rows(WAITING)]
            assert problems == ["no answer within 0.5 s", "", "", "", ""]


WAITING = "select problem from webhook_deliveries where state = 'waiting' order by id"


def test_what_happens_while_a_receiver_hangs_is_told_to_the_others(house: Telling) -> None:
    with receiving() as slow, receiving() as quick:
        slow.silence = threading.Event()
        house.add_webhook(slow, "deploy.recorded")
        house.add_webhook(quick, "error.new")
        house.add_deploy()
        group = make_group(house, 1)

        async def run() -> None:
            running = asyncio.create_task(house.job.run())
            await asyncio.to_thread(slow.wait, 1)
            await house.database.write(insert_group, group)
            await asyncio.to_thread(quick.wait, 1)
            assert not running.done()
            assert slow.silence is not None
            slow.silence.set()
            await running

        house.run(run())
        assert {state for _, state, _ in house.deliveries()} == {"delivered"}


def test_receivers_are_served_side_by_side(house: Telling) -> None:
    with receiving() as first, receiving() as second:
        first.silence = second.silence = threading.Event()
        house.add_webhook(first)
        house.add_webhook(second)
        house.add_deploy()
        releasing = threading.Thread(target=lambda: release(first, second))
        releasing.start()
        house.tell()
        releasing.join()
        assert [state for _, state, _ in house.deliveries()] == ["delivered"] * 2


def release(first: Receiver, second: Receiver) -> None:
    """Neither answers before both have been called."""
    first.wait(1)
    second.wait(1)
    assert first.silence is not None
    first.silence.set()


def test_nothing_is_left_of_a_deleted_webhook_or_project(
    house: Telling, receiver: Receiver
) -> None:
    act = Act("ann", house.clock(), house.make_id)
    webhook = house.add_webhook(receiver)
    house.add_webhook(receiver)
    house.add_deploy()
    house.tell()
    house.write(delete_webhook, act, webhook.id, 1)
    assert len(house.deliveries()) == 1
    house.write(delete_project, act, "shop")
    for table in ("webhooks", "webhook_deliveries", "webhook_held", "webhook_seen", "badges"):
        assert house.rows(f"select * from {table}") == []
    house.tell()
