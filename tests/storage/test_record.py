"""Recording announcements: the judgement with real rows around it."""

import itertools
import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.exceptions import Conflict
from miniapm.storage.connection import open_connection
from miniapm.storage.deploys.record import Recorded, record_announcement
from miniapm.storage.deploys.replays import IDEMPOTENCY_DAYS, Replay, delete_replays_before
from miniapm.storage.deploys.rows import find_commits, find_tags
from miniapm.storage.deploys.timeouts import time_out_started
from miniapm.storage.migrations import migrate
from miniapm.storage.projects import Project, insert_project
from tests.factories import START, make_announcement

A, B = "aaaaaaa1", "bbbbbbb2"


class Store:
    """A database with two projects; ids count up from 1."""

    def __init__(self, path: Path) -> None:
        self.connection = open_connection(path, create=True)
        migrate(self.connection, path, START)
        for project_id, slug in ((1, "shop"), (2, "other")):
            insert_project(self.connection, Project(project_id, slug, slug, START))
        self._last_id = 0

    def record(self, a: Announcement, replay: Replay | None = None) -> Recorded:
        self._last_id += 1
        return record_announcement(self.connection, a, self._last_id, HOUR, replay)

    def say(self, status: str, minutes: float, **fields: Any) -> Recorded:
        at = START + round(minutes * MINUTE)
        return self.record(make_announcement(status=status, at=at, **fields))

    def rows(self, columns: str = "git_sha, status") -> list[tuple[Any, ...]]:
        found = self.connection.execute(f"select {columns} from deploys order by deployed_at, id")
        return [tuple(row) for row in found]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "miniapm.db")
    yield made
    made.connection.close()


class Event(NamedTuple):
    status: str
    minutes: float
    git_sha: str = A


def outcome(store: Store, events: Sequence[Event]) -> list[tuple[Any, ...]]:
    """The (sha, status) rows that the events leave in an empty lane."""
    store.connection.execute("savepoint outcome")
    try:
        for event in events:
            received_at = START + DAY
            store.say(event.status, event.minutes, git_sha=event.git_sha, received_at=received_at)
        return sorted(store.rows())
    finally:
        store.connection.execute("rollback to outcome")
        store.connection.execute("release outcome")


HISTORIES = {
    "one deploy": [Event("started", 0), Event("succeeded", 5)],
    "a retry after failure": [
        Event("started", 0),
        Event("failed", 1),
        Event("started", 2),
        Event("succeeded", 3),
    ],
    "a slow retry": [
        Event("started", 0),
        Event("failed", 20),
        Event("started", 25),
        Event("succeeded", 45),
    ],
    "two roles, one after the other": [
        Event("started", 0),
        Event("succeeded", 1),
        Event("started", 2),
        Event("succeeded", 3),
    ],
    "two roles at once": [
        Event("started", 0),
        Event("started", 1),
        Event("succeeded", 4),
        Event("succeeded", 5),
    ],
    "a redeploy": [
        Event("started", 0),
        Event("succeeded", 5),
        Event("started", 30),
        Event("succeeded", 35),
    ],
    "cancelled, failed, done": [
        Event("started", 0),
        Event("cancelled", 5),
        Event("started", 6),
        Event("failed", 30),
        Event("started", 31),
        Event("succeeded", 40),
    ],
    "broken soon after": [
        Event("started", 0),
        Event("succeeded", 5),
        Event("started", 8),
        Event("failed", 9),
    ],
    "two shas": [
        Event("started", 0),
        Event("failed", 2),
        Event("started", 3, B),
        Event("succeeded", 4, B),
    ],
}


@pytest.mark.parametrize("name", HISTORIES)
def test_events_arrive_in_any_order(store: Store, name: str) -> None:
    history = HISTORIES[name]
    in_order = outcome(store, history)
    for order in itertools.permutations(history):
        assert outcome(store, order) == in_order, order


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Attempts one after another, no two failures of one sha within ten minutes of each other."""
    events: list[Event] = []
    clock = 0
    for _ in range(draw(st.integers(1, 4))):
        sha = draw(st.sampled_from([A, B]))
        took = draw(st.integers(1, 50))
        status = draw(st.sampled_from(["succeeded", "failed", "cancelled"]))
        events += [Event("started", clock, sha), Event(status, clock + took, sha)]
        clock += took + draw(st.integers(11, 40))
    return events


@settings(max_examples=60)
@given(histories(), st.randoms(use_true_random=False), st.booleans())
def test_attempts_one_after_another_arrive_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Event],
    chance: random.Random,
    twice: bool,
) -> None:
    store = Store(tmp_path_factory.mktemp("order") / "miniapm.db")
    try:
        in_order = outcome(store, history)
        mixed = history * 2 if twice else history[:]
        chance.shuffle(mixed)
        assert outcome(store, mixed) == in_order
        ends = sorted((e.git_sha, e.status) for e in history if e.status != "started")
        assert in_order == ends
    finally:
        store.connection.close()


def test_in_order_each_start_keeps_its_own_end(store: Store) -> None:
    for event in HISTORIES["a retry after failure"]:
        store.say(event.status, event.minutes)
    assert store.rows("status, started_at, deployed_at") == [
        ("failed", START, START + MINUTE),
        ("succeeded", START + 2 * MINUTE, START + 3 * MINUTE),
    ]


def test_back_within_ten_minutes_is_a_rollback_and_no_repeat(store: Store) -> None:
    for minutes, sha in ((0, A), (3, B), (6, A)):
        assert store.say("succeeded", minutes, git_sha=sha).is_new
    assert store.rows("git_sha") == [(A,), (B,), (A,)]


def test_another_version_of_the_sha_in_between_counts_too(store: Store) -> None:
    for minutes, version in ((0, "v1"), (3, "v2"), (6, "v1")):
        assert store.say("succeeded", minutes, version=version).is_new


@pytest.mark.parametrize(
    "between",
    [
        {"status": "failed"},
        {"env": "staging"},
        {"service": "other"},
        {"project_id": 2},
    ],
)
def test_what_did_not_go_live_here_in_between_does_not_count(
    store: Store, between: dict[str, Any]
) -> None:
    store.say("succeeded", 0)
    store.say(**{"status": "succeeded", "minutes": 3, "git_sha": B, **between})
    assert not store.say("succeeded", 6).is_new


def test_a_hidden_deploy_in_between_does_not_count(store: Store) -> None:
    store.say("succeeded", 0)
    hidden = store.say("succeeded", 3, git_sha=B)
    store.connection.execute("update deploys set hidden_at = 1 where id = ?", [hidden.deploy_id])
    assert not store.say("succeeded", 6).is_new


def test_a_hidden_deploy_sent_again_stays_hidden(store: Store) -> None:
    first = store.say("started", 0)
    store.connection.execute("update deploys set hidden_at = 1")
    assert store.say("succeeded", 1) == Recorded(first.deploy_id, is_new=False, is_changed=True)
    assert store.say("succeeded", 2) == Recorded(first.deploy_id, is_new=False)
    assert store.rows("status, hidden_at") == [("succeeded", 1)]


def test_places_are_told_apart(store: Store) -> None:
    for place in ({}, {"env": "staging"}, {"service": "web"}, {"project_id": 2}):
        assert store.say("succeeded", 0, **place).is_new


def test_a_repeat_is_found_among_many_of_the_same_sha(store: Store) -> None:
    for minutes in range(0, 100 * 15, 15):
        assert store.say("succeeded", minutes).is_new
    for minutes in (3, 3 + 50 * 15, 3 + 99 * 15):
        assert not store.say("succeeded", minutes).is_new


def test_an_old_start_ends_among_many_of_the_same_sha(store: Store) -> None:
    started = store.say("started", 0, version="v0")
    for minutes in range(15, 10 * 15, 15):
        store.say("succeeded", minutes, stands_alone=True, version=f"v{minutes}")
    assert store.say("failed", 200, version="v0").deploy_id == started.deploy_id


def test_every_call_counts_except_exact_retries(store: Store) -> None:
    said = {"every_call_counts": True}
    first = store.say("succeeded", 0, **said)
    assert store.say("succeeded", 0, **said) == Recorded(first.deploy_id, is_new=False)
    assert store.say("succeeded", 0.1, **said).is_new
    assert store.say("succeeded", 0, at_given=False, **said).is_new
    assert store.say("succeeded", 0, env="staging", **said).is_new


class TestIdempotencyKeys:
    replay = Replay("/ingest/deploys", "k1", b"body")

    def record(self, store: Store, received: int = 0, **replay: Any) -> Recorded:
        merged = {"route": "/ingest/deploys", "key": "k1", "body_hash": b"body", **replay}
        a = make_announcement(received_at=START + received, stands_alone=True)
        return store.record(a, Replay(**merged))

    def test_the_same_key_answers_the_same(self, store: Store) -> None:
        first = self.record(store)
        assert self.record(store, MINUTE) == Recorded(first.deploy_id, is_new=False)
        assert len(store.rows()) == 1

    def test_another_body_is_a_conflict(self, store: Store) -> None:
        self.record(store)
        with pytest.raises(Conflict, match="another body"):
            self.record(store, body_hash=b"other")

    def test_keys_are_told_apart_by_route_and_project(self, store: Store) -> None:
        first = self.record(store)
        assert self.record(store, route="/deployments", body_hash=b"x").is_new
        other = store.record(make_announcement(project_id=2), self.replay)
        assert other.is_new
        assert self.record(store).deploy_id == first.deploy_id

    def test_it_is_forgotten_after_seven_days(self, store: Store) -> None:
        first = self.record(store)
        week = IDEMPOTENCY_DAYS * DAY
        assert not self.record(store, week - 1).is_new
        # even before the job came round to delete it
        again = self.record(store, week, body_hash=b"other")
        assert again.is_new
        assert self.record(store, week, body_hash=b"other").deploy_id == again.deploy_id
        assert again.deploy_id != first.deploy_id
        assert delete_replays_before(store.connection, START + week) == 0
        assert delete_replays_before(store.connection, START + week + 1) == 1

    def test_what_failed_is_not_remembered(self, store: Store) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            store.record(make_announcement(project_id=99), self.replay)
        assert self.record(store).is_new


class TestIds:
    def test_the_same_id_is_the_same_deploy_wherever_it_moved(self, store: Store) -> None:
        first = store.say("started", 0, external_id="x", given=frozenset({"env"}))
        moved = store.say(
            "failed",
            400,
            external_id="x",
            env="staging",
            git_sha=B,
            given=frozenset({"env", "git_sha", "status"}),
        )
        assert moved == Recorded(first.deploy_id, is_new=False, is_changed=True)
        assert store.rows("git_sha, env, status") == [(B, "staging", "failed")]

    def test_ids_are_told_apart_by_project(self, store: Store) -> None:
        assert store.say("succeeded", 0, external_id="x").is_new
        assert store.say("succeeded", 0, external_id="x", project_id=2).is_new

    def test_new_ids_are_new_deploys(self, store: Store) -> None:
        assert store.say("succeeded", 0, external_id="x").is_new
        assert store.say("succeeded", 0, external_id="y").is_new
        assert len(store.rows()) == 2


class TestSources:
    def test_one_deploy_keeps_all_its_sources(self, store: Store) -> None:
        first = store.say("started", 0, source="github", git_sha="aaaaaaa1ffff", title="hub")
        same = store.say("succeeded", 2, git_sha="aaaaaaa1", title="api", version="v1")
        again = store.say("succeeded", 3, source="github", git_sha="aaaaaaa1ffff")
        assert {same.deploy_id, again.deploy_id} == {first.deploy_id}
        assert store.rows("git_sha, status, sources, title, version") == [
            ("aaaaaaa1ffff", "succeeded", "github,api", "api", "v1")
        ]

    def test_a_shorter_sha_may_come_again(self, store: Store) -> None:
        store.say("succeeded", 0, source="github", git_sha="aaaaaaa1ffff")
        assert not store.say("succeeded", 1, git_sha="aaaaaaa1").is_new
        assert not store.say("succeeded", 2, git_sha="aaaaaaa1").is_new
        assert not store.say("succeeded", 3, source="github", git_sha="aaaaaaa1ffff").is_new
        assert store.say("succeeded", 4, git_sha="aaaaaaa1", version="v2").is_new

    def test_too_late_or_too_short_is_another_deploy(self, store: Store) -> None:
        store.say("succeeded", 0, source="github", git_sha="aaaaaaa1ffff")
        assert store.say("succeeded", 31, git_sha="aaaaaaa1").is_new
        assert store.say("succeeded", 0, git_sha="aaaaaa").is_new

    def test_another_version_in_between_keeps_them_apart(self, store: Store) -> None:
        store.say("succeeded", 0, source="github")
        store.say("succeeded", 5, git_sha=B)
        assert store.say("succeeded", 10).is_new


class TestTimeOuts:
    def test_a_started_deploy_times_out_an_hour_after_its_last_news(self, store: Store) -> None:
        store.say("started", 0)
        store.say("started", 2, title="news")
        overdue = START + HOUR + 2 * MINUTE
        assert time_out_started(store.connection, HOUR, overdue - 1) == 0
        assert time_out_started(store.connection, HOUR, overdue) == 1
        assert store.rows("status, started_at, deployed_at") == [("timed_out", START, START + HOUR)]
        assert time_out_started(store.connection, HOUR, overdue + DAY) == 0

    def test_a_start_that_arrives_late_has_its_hour(self, store: Store) -> None:
        store.say("started", 0, received_at=START + 3 * HOUR)
        assert time_out_started(store.connection, HOUR, START + 4 * HOUR - 1) == 0
        assert time_out_started(store.connection, HOUR, START + 4 * HOUR) == 1

    def test_a_success_after_the_time_out_is_a_new_deploy(self, store: Store) -> None:
        store.say("started", 0)
        time_out_started(store.connection, HOUR, START + HOUR)
        assert store.say("succeeded", 61).is_new
        assert store.rows("status") == [("timed_out",), ("succeeded",)]

    def test_news_of_the_end_itself_replaces_the_time_out(self, store: Store) -> None:
        store.say("started", 0)
        time_out_started(store.connection, HOUR, START + HOUR)
        assert not store.say("succeeded", 59, received_at=START + 2 * HOUR).is_new
        store.say("started", 200)
        time_out_started(store.connection, HOUR, START + 300 * MINUTE)
        assert not store.say("failed", 290).is_new
        assert store.rows("status") == [("succeeded",), ("failed",)]


def test_tags_and_commits_are_stored(store: Store) -> None:
    commits = (Commit("c2", START, "m", "a"), Commit("c1"))
    made = store.say("started", 0, tags=("b", "a"), commits=commits)
    store.say("succeeded", 1, commits=(Commit("c1", START, "later"), Commit("c3")))
    assert find_tags(store.connection, 1, [made.deploy_id]) == {made.deploy_id: ("b", "a")}
    # one that is known stays as it was
    kept = find_commits(store.connection, 1, made.deploy_id)
    assert [(c.sha, c.message) for c in kept] == [("c2", "m"), ("c1", None), ("c3", None)]
