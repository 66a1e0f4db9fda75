"""Recording errors: groups, counts, samples, what came before, what came back, and floods."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.errors.values import Group, Occurrence
from miniapm.domain.ids import IdMaker
from miniapm.exceptions import NotFound
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection, transaction
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.errors.counts import (
    delete_error_counts_before,
    sum_counts,
)
from miniapm.storage.errors.find import (
    ErrorFilter,
    find_groups,
    find_groups_of_deploy,
    find_new_groups,
)
from miniapm.storage.errors.groups import get_group, set_state
from miniapm.storage.errors.occurrences import (
    KEPT_FIRST,
    KEPT_LATEST,
    KEPT_PER_MINUTE,
    delete_occurrences_before,
    find_occurrence_ids,
    get_occurrence,
)
from miniapm.storage.errors.record import ErrorCaps, RecordedError, record_occurrences
from miniapm.storage.projects import delete_project
from miniapm.storage.spans.names import NameCaps, NameIds
from tests.conftest import FakeClock
from tests.factories import START, make_database, make_deploy, make_occurrence

TRACE, SPAN = "a" * 32, "b" * 16


class Errors:
    """A database with two projects, and what records errors into it."""

    def __init__(self, path: Path) -> None:
        self.connection: Connection = make_database(path, "shop", "other")
        self.clock = FakeClock()
        self.make_id = IdMaker(self.clock)
        self.ids = NameIds(NameCaps(), self.clock)

    def record(
        self,
        *occurrences: Occurrence,
        project_id: int = 1,
        caps: ErrorCaps = ErrorCaps(),  # noqa: B008 - a constant value
    ) -> list[RecordedError]:
        return record_occurrences(
            self.connection,
            self.ids,
            project_id,
            occurrences,
            self.make_id,
            self.clock(),
            caps,
        )

    def groups(self, project_id: int = 1) -> list[Group]:
        page = find_groups(self.connection, project_id, ErrorFilter(), 500)
        return [found.group for found in page.groups]

    def group(self) -> Group:
        [group] = self.groups()
        return group

    def say(self, state: Any) -> Group:
        act = Act("ana", self.clock(), self.make_id)
        return set_state(self.connection, act, 1, self.group().id, state)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(sql)]


@pytest.fixture
def errors(tmp_path: Path) -> Iterator[Errors]:
    made = Errors(tmp_path / "errors.db")
    yield made
    made.connection.close()


def times(count: int, **fields: Any) -> Sequence[Occurrence]:
    return [make_occurrence(**fields) for _ in range(count)]


def test_each_occurrence_is_told_its_group(errors: Errors) -> None:
    a, b = make_occurrence(exception_class="A"), make_occurrence(exception_class="B")
    recorded = errors.record(a, b, a)
    first, second, third = (r.group_id for r in recorded)
    assert first == third != second
    assert [r.is_new for r in recorded] == [True, True, False]
    assert [r.is_new for r in errors.record(a)] == [False]
    assert {(g.exception_class, g.count) for g in errors.groups()} == {("A", 3), ("B", 1)}


def test_groups_are_of_a_project_and_a_service(errors: Errors) -> None:
    errors.record(make_occurrence(), make_occurrence(service="web"))
    errors.record(make_occurrence(), project_id=2)
    assert [g.service for g in errors.groups()] == ["web", "shop"]
    assert len(errors.groups(2)) == 1
    with pytest.raises(NotFound):
        get_group(errors.connection, 2, errors.groups()[0].id)


def test_counts_are_by_minute_and_release_in_each_resolution(errors: Errors) -> None:
    start = START - START % HOUR
    errors.record(
        make_occurrence(happened_at=start),
        make_occurrence(happened_at=start + 59 * SECOND),
        make_occurrence(happened_at=start + 61 * SECOND, version="v2"),
        make_occurrence(happened_at=start + 59 * MINUTE),
    )
    sql = "select started_at - {0}, release_id, count from error_counts where resolution = {1}"
    assert errors.rows(sql.format(start, 1)) == [
        (0, 1, 2),
        (MINUTE, 2, 1),
        (59 * MINUTE, 1, 1),
    ]
    assert errors.rows(sql.format(start, 60)) == [(0, 1, 3), (0, 2, 1)]
    group_id = errors.group().id
    steps = range(start, start + HOUR, 10 * MINUTE)
    for resolution in (1, 10):
        found = sum_counts(errors.connection, 1, [group_id], steps, resolution)
        assert found == {group_id: [3, 0, 0, 0, 0, 1]}
    only = sum_counts(errors.connection, 1, [group_id], steps, 10, frozenset({2}))
    assert only == {group_id: [1, 0, 0, 0, 0, 0]}
    assert sum_counts(errors.connection, 1, [group_id], steps, 10, frozenset())[group_id] == [0] * 6


def test_the_first_release_is_the_earliest_by_event_time(errors: Errors) -> None:
    errors.record(make_occurrence(version="v2"))
    errors.record(make_occurrence(version="v1", happened_at=START - HOUR))
    errors.record(make_occurrence(version="v3", happened_at=START + HOUR))
    [found] = find_groups(errors.connection, 1, ErrorFilter(), 10).groups
    assert found.first_release.version == "v1"
    assert (found.group.first_seen_at, found.group.last_seen_at) == (START - HOUR, START + HOUR)


def test_the_same_span_counts_once(errors: Errors) -> None:
    told = make_occurrence(trace_id=TRACE, span_id=SPAN)
    again = make_occurrence(trace_id=TRACE, span_id=SPAN, happened_at=START + SECOND)
    first, second = errors.record(told, again)
    assert first.group_id == second.group_id
    assert errors.record(told)[0].group_id == first.group_id
    assert errors.group().count == 1
    errors.record(make_occurrence(trace_id=TRACE, span_id=SPAN, exception_class="B"))
    errors.record(make_occurrence(trace_id=TRACE), make_occurrence(trace_id=TRACE))
    assert sorted(g.count for g in errors.groups()) == [1, 3]


def test_a_group_that_was_rolled_back_is_recorded_anew(errors: Errors) -> None:
    told = make_occurrence(trace_id=TRACE, span_id=SPAN)
    with suppress(ZeroDivisionError), transaction(errors.connection):
        errors.record(told)
        raise ZeroDivisionError
    errors.ids.clear()
    assert errors.groups() == []
    errors.record(told)
    assert errors.group().count == 1


def test_what_is_remembered_of_spans_is_bounded(errors: Errors) -> None:
    caps = ErrorCaps(repeats=10)
    for n in range(30):
        errors.record(make_occurrence(trace_id=TRACE, span_id=f"{n:016x}"), caps=caps)
    [(count,)] = errors.rows("select count(*) from error_recent")
    assert count == 10
    errors.record(make_occurrence(trace_id=TRACE, span_id=f"{29:016x}"), caps=caps)
    assert errors.group().count == 30
    errors.record(make_occurrence(trace_id=TRACE, span_id=f"{0:016x}"), caps=caps)
    assert errors.group().count == 31


def test_a_storm_costs_counts_only(errors: Errors) -> None:
    for _ in range(10):
        errors.record(*times(1000))
    assert errors.group().count == 10_000
    [(rows,)] = errors.rows("select count(*) from error_occurrences")
    assert rows == KEPT_PER_MINUTE
    [(rows,)] = errors.rows("select count(*) from error_counts")
    assert rows == 3


def test_a_storm_does_not_hide_the_first_of_a_release(errors: Errors) -> None:
    def kept() -> list[tuple[str, str]]:
        ids = find_occurrence_ids(errors.connection, 1, errors.group().id)
        found = [get_occurrence(errors.connection, 1, errors.group().id, i).occurrence for i in ids]
        return [(o.version, o.message) for o in found[KEPT_PER_MINUTE:]]

    old = times(50, version="v1")
    new = [make_occurrence(version="v2", message=f"m{n}") for n in range(3)]
    errors.record(*old, *new, *times(50, version="v1"), make_occurrence(version="v3"))
    assert kept() == [("v2", "m0"), ("v3", make_occurrence().message)]
    # what was seen before is no first
    errors.record(*new, *old)
    assert len(kept()) == 2
    errors.record(make_occurrence(version="v4", message="m4"))
    assert kept()[2:] == [("v4", "m4")]
    assert errors.group().sampled_count == KEPT_PER_MINUTE


def test_the_first_and_the_latest_are_kept(errors: Errors) -> None:
    for n in range(100):
        errors.record(make_occurrence(message=f"m{n}"))
        errors.clock.move(MINUTE)
    group_id = errors.group().id
    ids = find_occurrence_ids(errors.connection, 1, group_id)
    messages = [get_occurrence(errors.connection, 1, group_id, i).occurrence.message for i in ids]
    latest = range(100 - KEPT_LATEST, 100)
    assert messages == [f"m{n}" for n in (*range(KEPT_FIRST), *latest)]


def test_an_occurrence_is_read_as_it_was(errors: Errors) -> None:
    whole = make_occurrence(
        params={"a": [1, None, 2.5, "ä"]},
        context={"b": {}},
        backtrace=("a", "b"),
        trace_id=TRACE,
        user_id="7",
    )
    group_id = errors.record(whole)[0].group_id
    [occurrence_id] = find_occurrence_ids(errors.connection, 1, group_id)
    assert get_occurrence(errors.connection, 1, group_id, occurrence_id).occurrence == whole
    with pytest.raises(NotFound):
        get_occurrence(errors.connection, 2, group_id, occurrence_id)


def test_random_fingerprints_cannot_flood(errors: Errors) -> None:
    caps = ErrorCaps(groups=5, others=2)

    def flood(service: str, count: int, prefix: str) -> list[RecordedError]:
        return errors.record(
            *(
                make_occurrence(exception_class=f"{prefix}{n}", service=service)
                for n in range(count)
            ),
            caps=caps,
        )

    flood("shop", 50, "A")
    flood("shop", 50, "B")
    for n in range(20):
        flood(f"service-{n}", 2, "C")
    groups = errors.groups()
    assert len(groups) == 5 + 2 + 1
    others = {g.service: g.count for g in groups if g.fingerprint == "other"}
    assert others == {"shop": 95, "service-0": 2, "other": 38}
    assert sum(g.count for g in groups) == 140
    [message] = {g.message for g in groups if g.fingerprint == "other"}
    assert message.startswith("There are too many different errors")
    known = errors.record(make_occurrence(exception_class="A0"), caps=caps)
    assert get_group(errors.connection, 1, known[0].group_id).count == 2


def test_a_sender_may_call_its_errors_other(errors: Errors) -> None:
    errors.record(make_occurrence(fingerprint="other", message="mine"))
    assert (errors.group().exception_class, errors.group().message) == ("Oops", "mine")


def test_a_resolved_error_comes_back_in_the_deploy_that_was_live(errors: Errors) -> None:
    for number, (at, env, status) in enumerate(
        [
            (START, "production", "succeeded"),
            (START + HOUR, "production", "succeeded"),
            (START + 2 * HOUR, "staging", "succeeded"),
            (START + 2 * HOUR, "production", "failed"),
            (START + 5 * HOUR, "production", "succeeded"),
        ],
        start=1,
    ):
        insert_row(
            errors.connection,
            make_deploy(id=number, deployed_at=at, env=env, status=status, git_sha=f"sha-{number}"),
        )
    errors.record(make_occurrence())
    errors.clock.move(90 * MINUTE)
    errors.say("resolved")
    errors.record(make_occurrence(happened_at=START + HOUR))
    assert errors.group().state == "resolved"
    errors.record(make_occurrence(happened_at=START + 4 * HOUR))
    group = errors.group()
    assert (group.state, group.regressed_at) == ("open", START + 4 * HOUR)
    assert group.regressed_deploy_id == 2
    errors.record(make_occurrence(happened_at=START + 3 * HOUR))
    assert errors.group().regressed_at == START + 3 * HOUR


def test_an_ignored_error_stays_ignored(errors: Errors) -> None:
    errors.record(make_occurrence())
    errors.say("ignored")
    errors.record(make_occurrence(happened_at=START + DAY))
    assert (errors.group().state, errors.group().count) == ("ignored", 2)


def test_a_change_of_state_is_noted_once(errors: Errors) -> None:
    errors.record(make_occurrence())
    errors.say("resolved")
    errors.say("resolved")
    errors.say("open")
    assert errors.rows("select actor, action from audit") == [
        ("ana", "error.resolve"),
        ("ana", "error.reopen"),
    ]


def test_new_groups_and_those_that_came_back(errors: Errors) -> None:
    errors.record(make_occurrence(exception_class="Old", happened_at=START - DAY))
    errors.record(make_occurrence(exception_class="New", env="staging"))
    errors.record(make_occurrence(exception_class="Old"))

    def names(**wanted: Any) -> list[str]:
        found = find_new_groups(errors.connection, 1, START, START + HOUR, 10, **wanted)
        return [group.exception_class for group in found]

    assert names() == ["New"]
    assert names(env="production") == []
    assert names(env="staging", service="shop") == ["New"]
    assert names(service="web") == []


def test_groups_of_a_deploy_are_new_in_its_env(errors: Errors) -> None:
    deploy = make_deploy(id=7, deployed_at=START)
    insert_row(errors.connection, deploy)
    earlier, later = START - MINUTE, START + MINUTE
    for name, env, at in (
        ("Old", "production", earlier),
        ("Old", "production", later),
        ("FromStaging", "staging", earlier),
        ("FromStaging", "production", later),
        ("ElsewhereOnly", "staging", later),
        ("First", "production", START),
        ("Next", "production", START + HOUR),
    ):
        errors.record(make_occurrence(exception_class=name, env=env, happened_at=at))
    errors.record(make_occurrence(exception_class="Other", service="web"))
    errors.record(make_occurrence(exception_class="Foreign"), project_id=2)

    def names(limit: int = 10) -> tuple[list[str], int]:
        found = find_groups_of_deploy(errors.connection, deploy, START + HOUR, limit)
        return [group.exception_class for group in found.groups], found.total

    assert names() == (["First", "FromStaging"], 2)
    assert names(1) == (["First"], 2)


def test_groups_of_a_deploy_are_those_that_came_back_in_it(errors: Errors) -> None:
    deploy = make_deploy(id=7, deployed_at=START + HOUR)
    insert_row(errors.connection, deploy)
    errors.record(make_occurrence())
    errors.clock.move(MINUTE)
    errors.say("resolved")
    errors.record(make_occurrence(happened_at=START + 2 * HOUR))
    found = find_groups_of_deploy(errors.connection, deploy, START + DAY, 10)
    assert [group.id for group in found.groups] == [errors.group().id]
    errors.say("ignored")
    assert find_groups_of_deploy(errors.connection, deploy, START + DAY, 10).total == 0


def test_deleting_goes_in_steps_and_leaves_groups(errors: Errors) -> None:
    for n in range(10):
        errors.record(make_occurrence(happened_at=START - n * DAY))
        errors.clock.move(MINUTE)
    before = START - 4 * DAY
    assert delete_occurrences_before(errors.connection, before, 3) == 3
    assert delete_occurrences_before(errors.connection, before, 3) == 2
    assert delete_occurrences_before(errors.connection, before, 3) == 0
    assert delete_error_counts_before(errors.connection, 1, before - before % DAY, 4) == 4
    assert delete_error_counts_before(errors.connection, 60, before, 100) == 6
    left = errors.rows("select resolution, count(*) from error_counts group by resolution")
    assert left == [(1, 6), (10, 10), (60, 4)]
    assert errors.group().count == 10
    assert len(find_occurrence_ids(errors.connection, 1, errors.group().id)) == 5


def test_a_project_goes_with_its_errors(errors: Errors) -> None:
    errors.record(make_occurrence(trace_id=TRACE, span_id=SPAN), project_id=2)
    errors.record(make_occurrence(trace_id=TRACE, span_id=SPAN))
    delete_project(errors.connection, Act("ana", START, errors.make_id), "other")
    for table in (
        "error_groups",
        "error_counts",
        "error_releases",
        "error_occurrences",
        "error_recent",
    ):
        found = errors.rows(f"select distinct project_id from {table}")
        assert found == [(1,)], table


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (
            "select id from error_groups where project_id = 1 and service = 'a'"
            " and fingerprint = 'b'",
            "error_groups_name",
        ),
        (
            "select id from error_groups where project_id = 1 and last_seen_at >= 5"
            " order by last_seen_at desc, id desc limit 9",
            "error_groups_seen",
        ),
        (
            "select id from error_occurrences where project_id = 1 and group_id = 1 order by id",
            "error_occurrences_group",
        ),
        (
            "select id from error_occurrences where happened_at < 5 order by happened_at limit 9",
            "error_occurrences_time",
        ),
    ],
)
def test_look_ups_go_by_index(errors: Errors, sql: str, index: str) -> None:
    [(*_, plan)] = errors.rows(f"explain query plan {sql}")
    assert index in plan
