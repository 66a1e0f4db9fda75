"""Deploys that telemetry shows: one row each, whatever comes first."""

import itertools
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.ids import IdMaker
from miniapm.domain.releases import MOST_OF_LANE
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import edit_deploy, hide_deploy
from miniapm.storage.deploys.record import Recorded, record_announcement
from miniapm.storage.deploys.record_together import RecordCall, record_together
from miniapm.storage.deploys.shown import get_shown
from miniapm.storage.observed.record import MOST_AT_ONCE, observe_releases
from miniapm.storage.observed.waiting import has_new_releases
from miniapm.storage.spans.names import NameCaps
from tests.factories import START, make_announcement, make_database
from tests.storage.telemetry_rows import BASE, Telemetry

SHA, OTHER_SHA = "a1" * 20, "b2" * 20
Step = Callable[["Lane"], object]


class Lane:
    """A project with telemetry and announcements; times are minutes after BASE."""

    def __init__(self, connection: Connection, caps: NameCaps | None = None) -> None:
        self.connection = connection
        self.telemetry = Telemetry(connection, caps)
        self.now = START + DAY
        self.make_id = IdMaker(lambda: self.now)

    def see(self, version: str, revision: str, minutes: float, **more: Any) -> set[str]:
        """Telemetry of a release, looked at at once; the projects that show too many."""
        self.telemetry.now = self.now
        self.telemetry.show(version, revision, minutes, **more)
        return self.look()

    def look(self, observe: bool = True) -> set[str]:
        return observe_releases(self.connection, self.make_id, self.now, observe)

    def say(self, git_sha: str, version: str | None, minutes: float, **more: Any) -> Recorded:
        at = BASE + round(minutes * MINUTE)
        announcement = make_announcement(
            git_sha=git_sha, version=version, at=at, received_at=self.now, **more
        )
        return self.record(announcement)

    def record(self, announcement: Announcement) -> Recorded:
        """As the writer does: together, and alone what that leaves."""
        call = (announcement, self.make_id(), HOUR, None)
        [recorded] = record_together(self.connection, [call])
        recorded = recorded or record_announcement(self.connection, *call)
        self.look()
        return recorded

    def deploys(self) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            """select git_sha, version, sources, (deployed_at - :start) / 60000000.0
            from deploys order by deployed_at, git_sha""",
            {"start": BASE},
        )
        return [tuple(row) for row in rows]

    def releases(self) -> list[tuple[Any, ...]]:
        """Each release with the sha of its deploy."""
        rows = self.connection.execute(
            """select r.version, r.revision, d.git_sha from releases r
            left join deploys d on d.id = r.deploy_id order by r.version, r.revision"""
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def lane(connection: Connection) -> Lane:
    return Lane(connection)


def test_an_unannounced_version_is_a_deploy_of_telemetry(lane: Lane) -> None:
    lane.see("v1", SHA, 5)
    lane.see("v2", "", 90)
    assert lane.deploys() == [(SHA, "v1", "telemetry", 5.0), ("v2", "v2", "telemetry", 90.0)]
    assert lane.releases() == [("v1", SHA, SHA), ("v2", "", "v2")]
    [row] = lane.connection.execute("select * from deploys where version = 'v2'").fetchall()
    assert (row["status"], row["recorded_at"], row["key_id"]) == ("succeeded", lane.now, None)
    assert (row["service"], row["env"], row["project_id"]) == ("shop", "production", 1)


def test_nothing_is_left_to_do_after_a_look(lane: Lane) -> None:
    assert not has_new_releases(lane.connection, lane.now)
    lane.telemetry.show("", "", 0)
    lane.telemetry.show("v1", "", 0)
    assert has_new_releases(lane.connection, lane.now)
    lane.look()
    assert not has_new_releases(lane.connection, lane.now)


@pytest.mark.parametrize(
    ("version", "revision", "git_sha", "announced"),
    [
        ("v1", SHA, SHA, None),
        ("", SHA, SHA[:7], None),
        ("", SHA[:8], SHA, "v1"),
        ("v1", "", SHA, "v1"),
        ("v1", "", "v1", None),
        ("v1", SHA, "v1", None),
        (SHA, "", SHA, None),
        (SHA[:10], "", SHA, "v1"),
        (SHA, "", SHA[:7], "v1"),
    ],
)
@pytest.mark.parametrize("hours", [-30, -1, 0, 1, 50])
@pytest.mark.parametrize("announced_first", [True, False])
def test_announced_and_seen_is_one_deploy(
    lane: Lane,
    version: str,
    revision: str,
    git_sha: str,
    announced: str | None,
    hours: int,
    announced_first: bool,
) -> None:
    steps: list[Step] = [
        lambda lane: lane.say(git_sha, announced, hours * 60),
        lambda lane: lane.see(version, revision, 0),
    ]
    for step in steps if announced_first else reversed(steps):
        step(lane)
    assert lane.deploys() == [(git_sha, announced, "api", float(hours * 60))]
    assert lane.releases() == [(version, revision, git_sha)]


@pytest.mark.parametrize(
    ("version", "revision", "git_sha", "announced"),
    [
        ("v1", SHA, OTHER_SHA, "v1"),
        ("v1", "", SHA, "v2"),
        ("v1", "", SHA, None),
        ("", SHA[:6], SHA, None),
        ("2024010", "", "20240101", None),
        ("v1", SHA, SHA[:6], "v2"),
    ],
)
@pytest.mark.parametrize("announced_first", [True, False])
def test_another_version_is_another_deploy(
    lane: Lane,
    version: str,
    revision: str,
    git_sha: str,
    announced: str | None,
    announced_first: bool,
) -> None:
    steps: list[Step] = [
        lambda lane: lane.say(git_sha, announced, 1),
        lambda lane: lane.see(version, revision, 2),
    ]
    for step in steps if announced_first else reversed(steps):
        step(lane)
    assert lane.deploys() == [
        (git_sha, announced, "api", 1.0),
        (revision or version, version or None, "telemetry", 2.0),
    ]


@pytest.mark.parametrize("place", [{"service": "blog"}, {"env": "staging"}, {"project_id": 2}])
def test_another_place_is_another_deploy(lane: Lane, place: dict[str, Any]) -> None:
    lane.say(SHA, "v1", 0)
    lane.see("v1", SHA, 1, **place)
    lane.see("v1", SHA, 1)
    assert [row[2] for row in lane.deploys()] == ["api", "telemetry"]


ONE_DEPLOY: dict[str, Step] = {
    "started": lambda lane: lane.say(SHA, "v1", 0, status="started"),
    "ended": lambda lane: lane.say(SHA, "v1", 6),
    "again": lambda lane: lane.say(SHA, "v1", 6),
    "by github": lambda lane: lane.say(SHA, None, 6, source="github"),
    "web": lambda lane: lane.see("v1", SHA, 3),
    "worker": lambda lane: lane.see("v1", "", 2),
    "nightly": lambda lane: lane.see("", SHA[:12], 300),
    "web, earlier": lambda lane: lane.see("v1", SHA, 1),
    "nameless": lambda lane: lane.see("", "", 4),
}


def test_one_deploy_is_one_row_in_any_order(connection: Connection) -> None:
    orders = list(itertools.permutations(ONE_DEPLOY))
    for order in random.Random(7).sample(orders, 300):  # noqa: S311 - any sample will do
        connection.execute("savepoint one")
        lane = Lane(connection)
        lane.say(OTHER_SHA, "v0", -3000)
        for name in order:
            ONE_DEPLOY[name](lane)
        rows = connection.execute(
            """select git_sha, version, status, deployed_at, started_at
            from deploys where git_sha <> :old""",
            {"old": OTHER_SHA},
        ).fetchall()
        assert [tuple(row) for row in rows] == [
            (SHA, "v1", "succeeded", BASE + 6 * MINUTE, BASE)
        ], order
        assert {row[2] for row in lane.releases() if row[0] or row[1]} == {SHA}, order
        connection.execute("rollback to one")


def test_an_announcement_ties_what_telemetry_calls_by_different_names(
    connection: Connection,
) -> None:
    steps: dict[str, Step] = {
        "announced": lambda lane: lane.say(SHA, None, 0),
        "with its version": lambda lane: lane.say(SHA, "v1", 0),
        "web": lambda lane: lane.see("", SHA[:12], 3),
        "worker": lambda lane: lane.see("v1", "", 2),
    }
    for order in itertools.permutations(steps):
        connection.execute("savepoint one")
        lane = Lane(connection)
        for name in order:
            lane.now += MINUTE
            steps[name](lane)
        seen = [row for row in lane.deploys() if row[2] == "telemetry"]
        assert seen == [], order
        assert {row[2] for row in lane.releases()} == {SHA}
        lane.now += MINUTE
        lane.look()
        assert not has_new_releases(connection, lane.now)
        connection.execute("rollback to one")


def test_a_correction_of_what_was_announced_is_followed(lane: Lane) -> None:
    recorded = lane.say(SHA, "v1", 0, env="staging")
    lane.see("v1", SHA, 1)
    assert len(lane.deploys()) == 2
    lane.now += MINUTE
    edit_deploy(lane.connection, act(lane), 1, recorded.deploy_id, {"env": "production"})
    lane.look()
    assert lane.deploys() == [(SHA, "v1", "api", 0.0)]
    assert lane.releases() == [("v1", SHA, SHA)]


def test_what_nobody_announced_is_one_row_in_any_order(connection: Connection) -> None:
    seen = ("web", "worker", "nightly", "web, earlier", "nameless")
    for order in itertools.permutations(seen):
        connection.execute("savepoint one")
        lane = Lane(connection)
        for name in order:
            ONE_DEPLOY[name](lane)
        [row] = lane.deploys()
        assert row[2:] == ("telemetry", 1.0), order
        assert row[0][:12] == SHA[:12]
        connection.execute("rollback to one")


def test_an_announcement_after_another_version_went_live_is_a_rollback(lane: Lane) -> None:
    lane.see("v1", SHA, 0)
    lane.say(OTHER_SHA, "v2", 60)
    recorded = lane.say(SHA, "v1", 65)
    assert recorded.is_new
    assert [(row[0], row[2]) for row in lane.deploys()] == [
        (SHA, "telemetry"),
        (OTHER_SHA, "api"),
        (SHA, "api"),
    ]
    shown = get_shown(lane.connection, 1, recorded.deploy_id).shown
    assert shown.kind.kind == "rollback"


def test_a_late_announcement_takes_the_place_of_what_was_seen(lane: Lane) -> None:
    lane.see("v1", SHA, 0)
    [(deploy_id,)] = lane.connection.execute("select id from deploys").fetchall()
    recorded = lane.say(SHA[:9], "1.0", 700, deployer="ana", key_id=5, tags=("a",))
    assert recorded == Recorded(deploy_id, is_new=False, is_changed=True)
    assert lane.deploys() == [(SHA[:9], "1.0", "api", 700.0)]
    [row] = lane.connection.execute("select deployer, key_id, recorded_at from deploys").fetchall()
    assert tuple(row) == ("ana", 5, lane.now)
    shown = get_shown(lane.connection, 1, deploy_id).shown
    assert (shown.deploy.tags, shown.first_seen_at) == (("a",), BASE)


@pytest.mark.parametrize("status", ["started", "failed", "cancelled"])
@pytest.mark.parametrize("announced_first", [True, False])
def test_the_announced_outcome_counts(lane: Lane, status: str, announced_first: bool) -> None:
    steps: list[Step] = [
        lambda lane: lane.say(SHA, None, 0, status=status),
        lambda lane: lane.see("", SHA, 3),
    ]
    for step in steps if announced_first else reversed(steps):
        step(lane)
    [row] = lane.connection.execute("select status, deployed_at from deploys").fetchall()
    assert tuple(row) == (status, BASE)


def test_every_way_in_adopts(lane: Lane) -> None:
    ways: Iterable[dict[str, Any]] = (
        {"external_id": "x"},
        {"every_call_counts": True},
        {"every_call_counts": True, "at_given": False},
        {"stands_alone": True},
        {"source": "github"},
        {"source": "import"},
    )
    for number, way in enumerate(ways):
        sha = f"{number}c" * 20
        lane.see("", sha, number)
        assert not lane.say(sha, None, number + 0.1, **way).is_new
    assert len(lane.deploys()) == 6
    assert not [row for row in lane.deploys() if row[2] == "telemetry"]


announcements = st.builds(
    make_announcement,
    env=st.sampled_from(["production", "qa"]),
    git_sha=st.sampled_from([SHA, SHA[:7], OTHER_SHA, "v1", "cccccc12"]),
    version=st.sampled_from([None, "v1", "v2"]),
    status=st.sampled_from(["started", "succeeded", "failed"]),
    at=st.integers(-100, 100).map(lambda minutes: BASE + minutes * MINUTE),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(announcements, min_size=2, max_size=6))
def test_together_they_find_what_was_seen_as_one_by_one(
    connection: Connection, given_announcements: list[Announcement]
) -> None:
    def run(together: bool) -> list[tuple[Any, ...]]:
        connection.execute("savepoint run")
        lane = Lane(connection)
        lane.see("v1", "", 0)
        lane.see("v2", OTHER_SHA, -2000)
        lane.see("v2", SHA, 5, env="qa")
        calls: list[RecordCall] = [
            (announcement, number, HOUR, None)
            for number, announcement in enumerate(given_announcements, 1)
        ]
        done = record_together(connection, calls) if together else [None] * len(calls)
        for call, recorded in zip(calls, done, strict=True):
            if recorded is None:
                record_announcement(connection, *call)
        rows = connection.execute(
            "select env, git_sha, version, status, sources, deployed_at from deploys"
        ).fetchall()
        connection.execute("rollback to run")
        return sorted((tuple(row) for row in rows), key=repr)

    assert run(together=True) == run(together=False)


def test_a_version_announced_before_explains_a_release_whatever_went_live_since(
    lane: Lane,
) -> None:
    """An old instance that gets its first request late has not been rolled back to."""
    lane.say(SHA, "v1", 0)
    lane.say(OTHER_SHA, "v2", 5)
    lane.see("v1", SHA, 6)
    assert [row[2] for row in lane.deploys()] == ["api", "api"]
    assert lane.releases() == [("v1", SHA, SHA)]


def test_telemetry_does_not_split_what_one_deploy_announced_twice(lane: Lane) -> None:
    lane.say(SHA, None, 0)
    lane.see("1.4.0", "", 1)
    lane.say(SHA, None, 2)
    assert [(row[0], row[2]) for row in lane.deploys()] == [(SHA, "api"), ("1.4.0", "telemetry")]


def test_a_version_that_never_changes_is_a_deploy_for_each_commit(lane: Lane) -> None:
    lane.see("1.0.0", "", 0)
    lane.see("1.0.0", SHA, 3000)
    lane.see("1.0.0", OTHER_SHA, 6000)
    assert [(row[0], row[3]) for row in lane.deploys()] == [
        ("1.0.0", 0.0),
        (SHA, 3000.0),
        (OTHER_SHA, 6000.0),
    ]
    lane.say(OTHER_SHA, None, 6001)
    assert [(row[0], row[2]) for row in lane.deploys()][-1] == (OTHER_SHA, "api")
    assert len(lane.deploys()) == 3


def test_earlier_telemetry_moves_a_deploy_that_nobody_announced(lane: Lane) -> None:
    lane.see("v1", "", 30)
    lane.see("v1", "", -600)
    assert lane.deploys() == [("v1", "v1", "telemetry", -600.0)]
    lane.say("v1", None, 0)
    lane.see("v1", "", -900)
    assert lane.deploys() == [("v1", None, "api", 0.0)]


def act(lane: Lane) -> Act:
    return Act("ana", lane.now, lane.make_id)


def test_what_a_person_corrected_or_hid_stays(lane: Lane) -> None:
    lane.see("v1", "", 30)
    [(deploy_id,)] = lane.connection.execute("select id from deploys").fetchall()
    edit_deploy(lane.connection, act(lane), 1, deploy_id, {"title": "by hand"})
    lane.see("v1", "", -600)
    assert lane.deploys() == [("v1", "v1", "telemetry", 30.0)]
    hide_deploy(lane.connection, act(lane), 1, deploy_id)
    lane.see("v1", SHA, 40)
    lane.say(SHA, "v1", 50)
    [row] = lane.connection.execute("select title, hidden_at, sources from deploys").fetchall()
    assert tuple(row) == ("by hand", lane.now, "api")


@pytest.mark.parametrize(
    "place", [{"env": "test"}, {"env": "CI"}, {"service": "other"}, {"env": "other"}]
)
def test_where_nothing_is_deployed_nothing_is_recorded(lane: Lane, place: dict[str, Any]) -> None:
    lane.see("v1", SHA, 0, **place)
    assert lane.deploys() == []
    assert not has_new_releases(lane.connection, lane.now)


def test_what_came_after_the_cap_on_names_is_no_version(connection: Connection) -> None:
    lane = Lane(connection, NameCaps(releases=2))
    for number in range(5):
        lane.see(f"v{number}", "", number)
    assert [row[0] for row in lane.deploys()] == ["v0", "v1"]


def test_nothing_is_recorded_where_it_is_switched_off(lane: Lane) -> None:
    lane.telemetry.now = lane.now
    lane.telemetry.show("v1", SHA, 0)
    lane.look(observe=False)
    assert lane.deploys() == []
    assert not has_new_releases(lane.connection, lane.now)
    # what is announced is known to be seen all the same, also afterwards
    lane.now += 2 * HOUR
    recorded = record_announcement(
        lane.connection, make_announcement(git_sha=SHA, received_at=lane.now), 77, HOUR
    )
    assert has_new_releases(lane.connection, lane.now)
    lane.look(observe=False)
    assert lane.releases() == [("v1", SHA, SHA)]
    assert get_shown(lane.connection, 1, recorded.deploy_id).shown.first_seen_at == BASE
    # switched on again, it does not dig out what is old
    lane.see("v0", "", 5, service="blog")
    assert [row[0] for row in lane.deploys()] == [SHA, "v0"]


def test_versions_made_up_at_each_start_do_not_flood_the_timeline(lane: Lane) -> None:
    flooding: set[str] = set()
    for number in range(3 * MOST_OF_LANE):
        flooding |= lane.see(f"run-{number}", "", number)
    assert flooding == {"shop"}
    assert len(lane.deploys()) == MOST_OF_LANE
    assert lane.see("v1", "", 0, service="blog") == set()
    lane.now += 2 * HOUR
    lane.say(SHA, None, 500)
    assert lane.see("run-last", "", 501) == set()
    assert len(lane.deploys()) == MOST_OF_LANE + 3
    # and the others stay what they were
    assert len([row for row in lane.releases() if row[2] is None]) == 2 * MOST_OF_LANE


def test_a_look_takes_a_bounded_step(lane: Lane) -> None:
    lane.telemetry.now = lane.now
    for number in range(MOST_AT_ONCE + 5):
        lane.telemetry.show("v1", SHA, number, service=f"s{number}")
    lane.look()
    assert len(lane.deploys()) == MOST_AT_ONCE
    assert has_new_releases(lane.connection, lane.now)
    lane.look()
    assert len(lane.deploys()) == MOST_AT_ONCE + 5


def test_the_look_ups_use_indexes(connection: Connection) -> None:
    """Nothing of it may grow with the number of deploys or releases."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    lane = Lane(connection)
    lane.see("v1", SHA, 0)
    lane.say(SHA, "v1", 1)
    lane.see("v1", "", 2)
    connection.set_trace_callback(None)
    plans = {
        row[3]
        for sql in statements
        if sql.startswith(("/* deploys.find_", "/* deploys.has_"))
        for row in connection.execute(f"explain query plan {sql}")
    }
    scans = [plan for plan in plans if plan.startswith("SCAN") and "CONSTANT" not in plan]
    assert scans == []
    assert any("deploys_observed" in plan for plan in plans)


def test_a_gone_project_is_left_alone(tmp_path: Path) -> None:
    connection = make_database(tmp_path / "gone.db", "shop")
    lane = Lane(connection)
    lane.telemetry.show("v1", "", 0, project_id=9)
    assert lane.look() == set()
    assert lane.deploys() == []
    connection.close()
