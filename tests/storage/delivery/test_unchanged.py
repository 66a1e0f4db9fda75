"""What must not change a delivery number does not: hiding and restoring, the order of arrival, and
sending everything twice; and what pages remember follows every edit."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.domain.ids import IdMaker
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.numbers import find_numbers
from miniapm.storage.deploys.change import edit_deploy, hide_deploy, restore_deploy, undo_change
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.record import record_announcement
from miniapm.storage.impact.reviews import review_verdict
from miniapm.storage.impact.verdicts import Judged, store_verdict
from miniapm.storage.memory import Memory
from miniapm.storage.projects import Project, insert_project
from tests.factories import START, make_announcement, make_database
from tests.impacts import make_impact

NOW = START + 60 * DAY
LANES = (("shop", "production"), ("shop", "live"), ("api", "production"))
RULES = DeliveryRules()


def sha_of(letter: str) -> str:
    return (letter * 40)[:40]


class Store:
    """A project of its own in one database, for each example another one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.project_id = 0
        self.make_id = IdMaker(lambda: START)

    def begin(self) -> None:
        self.project_id = self.make_id()
        slug = f"p{self.project_id}"
        insert_project(self.connection, Project(self.project_id, slug, slug, START))

    def send(self, told: Sequence[Announcement]) -> list[int]:
        return [
            record_announcement(
                self.connection,
                one_of(one, self.project_id),
                self.make_id(),
                HOUR,
            ).deploy_id
            for one in told
        ]

    def count_rows(self) -> int:
        row = self.connection.execute(
            "select count(*) from deploys where project_id = :id", {"id": self.project_id}
        ).fetchone()
        return int(row[0])

    def act(self) -> Act:
        return Act("ana", NOW, self.make_id)

    def measure(self, since: int = START - DAY) -> Any:
        """All numbers by week, and what each deploy is; ids told by lane and time."""
        asked = Asked(since, NOW)
        numbers = find_numbers(self.connection, self.project_id, asked, "week", UTC, RULES, NOW)
        stretch, summary = numbers.report.stretch, numbers.summary
        places = {
            o.deploy.id: (o.deploy.service, o.deploy.env, o.deploy.at) for o in stretch.outcomes
        }
        what = {
            places[o.deploy.id]: (
                o.is_redeploy,
                o.rework,
                o.failure and (o.failure.reason, places.get(o.failure.by_id or 0)),
                o.recovery_us,
            )
            for o in stretch.outcomes
        }
        waits = {places[lead.deploy_id]: lead[2:] for lead in stretch.lead_times}
        return summary.whole, [one.metrics for one in summary.periods], what, waits

    def measure_afresh(self) -> Any:
        """As `measure`, with nothing remembered."""
        kept, self.connection.memory = self.connection.memory, Memory(0)
        try:
            return self.measure()
        finally:
            self.connection.memory = kept


def one_of(told: Announcement, project_id: int) -> Announcement:
    return msgspec.structs.replace(told, project_id=project_id)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("unchanged") / "miniapm.db"
    connection = make_database(path)
    connection.memory = Memory(1 << 24)
    yield Store(connection)
    connection.close()


class Told(NamedTuple):
    lane: int
    letter: str
    status: str
    tag: str
    commits: str
    reverts: str


TOLD = st.builds(
    Told,
    st.integers(0, len(LANES) - 1),
    st.sampled_from("abcdef"),
    st.sampled_from(("succeeded",) * 6 + ("failed", "cancelled")),
    st.sampled_from(("",) * 5 + ("sev1", "is_fix")),
    st.text("abcdef", max_size=3),
    st.sampled_from(("", "", "", "a", "b", "c")),
)
HISTORIES = st.lists(TOLD, min_size=1, max_size=14)


def announce_all(history: Sequence[Told]) -> list[Announcement]:
    """One after the other, 100 minutes apart."""
    return [announce(one, START + place * 100 * MINUTE) for place, one in enumerate(history)]


def announce(one: Told, at: int) -> Announcement:
    service, env = LANES[one.lane]
    message = f"Back\n\nThis reverts commit {sha_of(one.reverts)}." if one.reverts else "Forth"
    return make_announcement(
        service=service,
        env=env,
        git_sha=sha_of(one.letter),
        status=one.status,
        at=at,
        tags=(one.tag,) if one.tag else (),
        commits=tuple(
            Commit(sha_of(letter), START - (ord(letter) - 90) * HOUR, message)
            for letter in dict.fromkeys(one.commits)
        ),
    )


checked = settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@checked
@given(HISTORIES, st.data())
def test_hide_and_restore(store: Store, history: list[Told], data: st.DataObject) -> None:
    store.begin()
    ids = store.send(announce_all(history))
    before = store.measure()
    for deploy_id in data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True)):
        hide_deploy(store.connection, store.act(), store.project_id, deploy_id)
    hidden = store.measure()
    assert hidden == store.measure_afresh()
    for deploy_id in ids:
        restore_deploy(store.connection, store.act(), store.project_id, deploy_id)
    assert store.measure() == before


@checked
@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_arrival(store: Store, history: list[Told], rng: Any) -> None:
    told = announce_all(history)
    store.begin()
    store.send(told)
    in_order = store.measure()
    shuffled = list(told)
    rng.shuffle(shuffled)
    store.begin()
    store.send(shuffled)
    assert store.count_rows() == len(told)
    assert store.measure() == in_order


@checked
@given(HISTORIES)
def test_everything_sent_twice(store: Store, history: list[Told]) -> None:
    told = announce_all(history)
    store.begin()
    ids = store.send(told)
    once = store.measure()
    assert store.send(told) == ids
    assert store.count_rows() == len(ids)
    assert store.measure() == once


EDITS: dict[str, Callable[[int], dict[str, Any]]] = {
    "failed": lambda _: {"overruled": "failed"},
    "ok": lambda _: {"overruled": "ok"},
    "no word": lambda _: {"overruled": None},
    "tag": lambda _: {"tags": ["sev1"]},
    "no tag": lambda _: {"tags": []},
    "never live": lambda _: {"status": "failed"},
    "live": lambda _: {"status": "succeeded"},
    "sha": lambda _: {"git_sha": sha_of("f")},
    "service": lambda _: {"service": "mail"},
    "env": lambda _: {"env": "staging"},
    "time": lambda number: {"timestamp": (START + (7 + number) * HOUR) // 1_000_000},
}


@checked
@given(HISTORIES, st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.integers(0, 99))))
def test_what_is_remembered_follows_every_edit(
    store: Store, history: list[Told], edits: list[tuple[str, int]]
) -> None:
    store.begin()
    ids = store.send(announce_all(history))
    undone = []
    before = store.measure()
    for name, number in edits:
        changed = edit_deploy(
            store.connection,
            store.act(),
            store.project_id,
            ids[number % len(ids)],
            EDITS[name](number),
        )
        if changed.change_id is not None:
            undone.append((changed.deploy.id, changed.change_id))
        assert store.measure() == store.measure_afresh()
    for deploy_id, change_id in reversed(undone):
        undo_change(store.connection, store.act(), store.project_id, deploy_id, change_id)
    assert store.measure() == before


def test_what_is_remembered_follows_verdicts_and_reviews(store: Store) -> None:
    store.begin()
    [deploy_id] = store.send([make_announcement(at=START)])
    deploy = get_deploy(store.connection, store.project_id, deploy_id)

    def count_failed() -> int:
        whole, *_ = store.measure()
        return int(whole.change_fail_rate.part)

    def judge(verdict: str) -> None:
        impact = make_impact(deploy, verdict=verdict, state="final")
        judged = Judged(impact, START, 0, deploy.updated_at, None, None)
        store_verdict(store.connection, store.project_id, judged, store.make_id())

    assert count_failed() == 0
    judge("regressed")
    assert count_failed() == 1
    review_verdict(store.connection, store.act(), store.project_id, deploy_id, "dismiss", "")
    assert count_failed() == 0
    review_verdict(store.connection, store.act(), store.project_id, deploy_id, None, "")
    assert count_failed() == 1
    judge("unchanged")
    assert count_failed() == 0
