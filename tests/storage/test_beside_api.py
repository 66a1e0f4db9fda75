"""Deploys that only GitHub told of, where the API tells of deploys, too."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.ids import IdMaker
from miniapm.domain.impact.windows import Plan
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.beside_api import COUNT, LEAVE_OUT, apply_rule, find_rule
from miniapm.storage.deploys.change import edit_deploy, hide_deploy, restore_deploy, undo_change
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.markers import find_last_live
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.deploys.record_together import record_together
from miniapm.storage.deploys.surroundings import (
    find_live_at,
    find_next_live,
    find_previous_live,
    find_surroundings,
)
from miniapm.storage.deploys.timeouts import time_out_started
from miniapm.storage.impact.plans import find_confounders, find_plan
from tests.factories import START, make_announcement

SHAS = {"a": "a" * 40, "b": "b" * 40, "c": "c" * 40, "d": "d" * 40}


class Told(NamedTuple):
    """An announcement: by whom, of what, when in hours after START."""

    source: str
    name: str
    hours: float
    service: str = "shop"
    status: str = "succeeded"


class Store:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._ids = 0
        self._make_id = IdMaker(lambda: START)

    def tell(self, *told: Told) -> list[int]:
        found = []
        for one in told:
            self._ids += 1
            announcement = make_announcement(
                source=one.source,
                git_sha=SHAS[one.name],
                service=one.service,
                status=one.status,
                at=START + round(one.hours * HOUR),
                received_at=START + 100 * HOUR + self._ids,
                external_id=None if one.source == "api" else f"id {self._ids}",
            )
            recorded = record_announcement(self.connection, announcement, self._ids, HOUR)
            found.append(recorded.deploy_id)
        return found

    @property
    def act(self) -> Act:
        self._ids += 1
        return Act("test", START + 200 * HOUR + self._ids, self._make_id)

    def left_out(self) -> list[str]:
        rows = self.connection.execute(
            "select git_sha from deploys where is_left_out = 1 order by deployed_at, id"
        )
        return [row[0][0] for row in rows]


@pytest.fixture
def store(connection: Connection) -> Store:
    return Store(connection)


def test_github_alone_counts(store: Store) -> None:
    store.tell(Told("github", "a", 0), Told("github", "b", 1))
    assert store.left_out() == []


def test_from_the_first_deploy_of_the_api_on(store: Store) -> None:
    store.tell(
        Told("github", "a", 0), Told("api", "b", 1), Told("github", "c", 2), Told("github", "d", 1)
    )
    assert store.left_out() == ["d", "c"]


def test_a_deploy_of_the_api_may_arrive_later_with_an_earlier_time(store: Store) -> None:
    store.tell(Told("github", "a", 5), Told("github", "b", 6))
    [late] = store.tell(Told("api", "c", 1))
    assert store.left_out() == ["a", "b"]
    hide_deploy(store.connection, store.act, 1, late)
    assert store.left_out() == []
    restore_deploy(store.connection, store.act, 1, late)
    assert store.left_out() == ["a", "b"]


def test_each_service_and_env_is_judged_for_itself(store: Store) -> None:
    store.tell(Told("api", "a", 0), Told("github", "b", 5, "web"))
    assert store.left_out() == []


def test_what_both_announce_is_one_and_counts(store: Store) -> None:
    store.tell(Told("api", "a", 0), Told("github", "b", 2))
    assert store.left_out() == ["b"]
    assert store.tell(Told("api", "b", 2.1)) == [2]
    assert store.left_out() == []
    [api, github] = store.tell(Told("api", "c", 4), Told("github", "c", 4.1))
    assert api == github
    assert store.left_out() == []
    deploy = get_deploy(store.connection, 1, 2)
    assert deploy.sources == ("github", "api")


def test_other_sources_count(store: Store) -> None:
    store.tell(Told("api", "a", 0), Told("gitlab", "b", 2), Told("coolify", "c", 3))
    assert store.left_out() == []


def test_moving_deploys_moves_the_mark(store: Store) -> None:
    api, github = store.tell(Told("api", "a", 0), Told("github", "b", 2))
    connection = store.connection
    moved = edit_deploy(connection, store.act, 1, github, {"service": "web"})
    assert not moved.deploy.is_left_out
    assert moved.change_id is not None
    back = undo_change(connection, store.act, 1, github, moved.change_id)
    assert back.deploy.is_left_out
    assert get_deploy(connection, 1, github) == back.deploy
    edit_deploy(connection, store.act, 1, api, {"env": "staging"})
    assert store.left_out() == []


def test_a_start_that_times_out_moves_the_first_deploy_of_the_api(store: Store) -> None:
    store.tell(Told("api", "a", 0, status="started"), Told("github", "b", 0.5))
    assert store.left_out() == ["b"]
    time_out_started(store.connection, HOUR, START + 300 * HOUR)
    assert store.left_out() == []


def test_marked_rows_are_seen_as_changed(store: Store) -> None:
    [github] = store.tell(Told("github", "b", 2))
    before = get_deploy(store.connection, 1, github).updated_at
    store.tell(Told("api", "a", 0))
    assert get_deploy(store.connection, 1, github).updated_at > before


def test_the_setting(store: Store) -> None:
    store.tell(Told("api", "a", 0), Told("github", "b", 2), Told("api", "a", 0, "web"))
    store.tell(Told("github", "c", 2, "web"))
    apply_rule(store.connection, LEAVE_OUT, START)
    assert store.left_out() == ["b", "c"]
    apply_rule(store.connection, COUNT, START)
    assert (find_rule(store.connection), store.left_out()) == (COUNT, [])
    store.tell(Told("github", "d", 3))
    assert store.left_out() == []
    apply_rule(store.connection, LEAVE_OUT, START)
    assert store.left_out() == ["b", "c", "d"]


def test_many_at_once_leave_out_what_they_must(store: Store) -> None:
    store.tell(Told("github", "b", 2))
    calls = [
        (make_announcement(git_sha=f"{n:040x}", at=START + n * MINUTE), 100 + n, HOUR, None)
        for n in range(3)
    ]
    done = record_together(store.connection, calls)
    for call, recorded in zip(calls, done, strict=True):
        if recorded is None:
            record_announcement(store.connection, *call)
    assert store.left_out() == ["b"]


def test_nothing_looks_at_what_is_left_out(store: Store) -> None:
    connection = store.connection
    first, between, last = store.tell(
        Told("api", "a", 0), Told("github", "b", 1), Told("api", "c", 2)
    )
    deploys = {number: get_deploy(connection, 1, number) for number in (first, between, last)}
    previous = find_previous_live(connection, deploys[last])
    following = find_next_live(connection, deploys[first])
    assert (previous, following) == (deploys[first], deploys[last])
    assert find_live_at(connection, 1, "shop", "production", START + HOUR) == deploys[first]
    marker = find_last_live(connection, 1, "shop", "production", START, START + HOUR + 1)
    assert marker is not None
    assert marker.id == first
    plan: Plan = find_plan(connection, deploys[last])
    assert plan == find_plan(connection, deploys[last])
    [web] = store.tell(Told("api", "d", 1, "web"))
    beside = find_confounders(connection, get_deploy(connection, 1, web))
    assert {one.deploy_id for one in beside} == {first, last}


def test_a_repeat_is_told_by_what_counts(store: Store) -> None:
    """Another version that GitHub alone announced in between makes no second deploy."""
    first = store.tell(Told("api", "a", 0))
    store.tell(Told("github", "b", 0.05))
    assert store.tell(Told("api", "a", 0.1)) == first


def test_a_failed_try_that_is_left_out_makes_no_retry(store: Store) -> None:
    store.tell(Told("api", "a", 0), Told("github", "b", 1, status="failed"))
    [deploy] = store.tell(Told("api", "b", 3))
    around = find_surroundings(store.connection, get_deploy(store.connection, 1, deploy))
    assert around.last_attempt is None


tellings = st.lists(
    st.tuples(
        st.sampled_from(["api", "github", "github"]),
        st.sampled_from("abcd"),
        st.integers(0, 20).map(lambda hours: hours * 3.0),
    ).map(lambda parts: Told(*parts)),
    max_size=8,
    unique_by=lambda told: (told.name, told.hours),
)


@settings(max_examples=60)
@given(tellings, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, told: Sequence[Told], chance: random.Random
) -> None:
    from tests.factories import make_database

    outcomes = []
    for order in (list(told), chance.sample(list(told), len(told))):
        connection = make_database(tmp_path_factory.mktemp("order") / "miniapm.db", "shop")
        store = Store(connection)
        store.tell(*order)
        outcomes.append(sorted(_rows(connection)))
        connection.close()
    first = min((t.hours for t in told if t.source == "api"), default=1e9)
    expected = sorted(
        (
            START + round(t.hours * HOUR),
            SHAS[t.name],
            int(t.source == "github" and t.hours >= first),
        )
        for t in told
    )
    assert outcomes == [expected, expected]


def _rows(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute("select deployed_at, git_sha, is_left_out from deploys")
    return [tuple(row) for row in rows]
