"""What has had its time goes, slice by slice; all else stays, and the file stays as large."""

from typing import Any

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.ids import IdMaker
from miniapm.domain.retention import Lifetimes, find_cut_offs
from miniapm.domain.spans.ids import to_batch_id
from miniapm.domain.spans.values import OTHER
from miniapm.exceptions import NotFound
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection, scalar, transaction
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.projects import delete_project
from miniapm.storage.retention.count import count_old
from miniapm.storage.retention.figures import OldRollups
from miniapm.storage.retention.lag import explain_lag, find_lag
from miniapm.storage.retention.names import UnusedNames
from miniapm.storage.retention.projects import GoneProjects
from miniapm.storage.retention.spans import OldSpans
from miniapm.storage.retention.stages import list_arrivals, list_figures
from miniapm.storage.retention.sweep import (
    FIRST_SIZE,
    LARGEST_SIZE,
    SLICE_SECONDS,
    Slice,
    Stage,
    Sweep,
)
from miniapm.storage.spans.names import NameCaps
from tests.conftest import FakeClock
from tests.factories import KEPT, START, make_deploy, make_occurrence
from tests.spans import Recorder, SentSpan, make_trace_id


@pytest.fixture
def recorder(connection: Connection, clock: FakeClock) -> Recorder:
    return Recorder(connection, clock)


def sweep(connection: Connection, *stages: Stage) -> Sweep:
    """Sweeps to the end, each slice in a transaction."""
    done = Sweep(stages)
    while not done.is_done:
        with transaction(connection):
            done.step(connection)
    return done


def sweep_all(connection: Connection, now: int, kept: Lifetimes = KEPT) -> Sweep:
    cut_offs = find_cut_offs(kept, now)
    return sweep(
        connection,
        *list_arrivals(cut_offs),
        *list_figures(cut_offs),
        UnusedNames(cut_offs.names),
    )


def count(connection: Connection, table: str, where: str = "1 = 1") -> int:
    return int(scalar(connection, f"select count(*) from {table} where {where}"))


def send(recorder: Recorder, number: int, **fields: Any) -> None:
    """A batch of one request with a child, of now."""
    at = recorder.clock()
    recorder.record(
        [
            SentSpan(make_trace_id(number), at, **fields),
            SentSpan(make_trace_id(number), at, "child", kind=1),
        ]
    )


def record_errors(recorder: Recorder, *occurrences: Occurrence) -> None:
    with transaction(recorder.connection):
        recorder.store.record_errors(recorder.connection, 1, occurrences)


def test_spans_go_by_their_arrival_with_all_that_belongs_to_them(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    for number in range(100):
        send(recorder, number)
        clock.move(HOUR)
    recorder.flush()
    cut_offs = find_cut_offs(KEPT, START + 10 * DAY)
    assert count_old(connection, cut_offs)["spans"] == 2 * 72
    done = sweep(connection, OldSpans(cut_offs.batch_id))
    assert done.removed == {"spans": 2 * 72, "requests": 72}
    for table, key in (
        ("span_batches", "id"),
        ("span_batch_traces", "batch_id"),
        ("entries", "id"),
    ):
        assert count(connection, table) == 28
        assert count(connection, table, f"{key} < {to_batch_id(START + 3 * DAY)}") == 0
    # what they came to stays
    assert count(connection, "rollups", "resolution = 1 and endpoint_id = 0") == 100


def test_late_spans_are_kept_as_long_as_others(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    recorder.record([SentSpan(make_trace_id(1), START - 13 * DAY)])
    recorder.flush()
    sweep_all(connection, START + 6 * DAY)
    assert count(connection, "entries") == 1
    sweep_all(connection, START + 8 * DAY)
    assert count(connection, "entries") == 0


def test_slices_are_small(connection: Connection, recorder: Recorder, clock: FakeClock) -> None:
    for number in range(50):
        send(recorder, number)
        clock.move(MINUTE)
    recorder.flush()
    stage = OldSpans(to_batch_id(START + DAY))
    with transaction(connection):
        assert stage(connection, 20) == Slice({"spans": 40, "requests": 20}, False)
        assert stage(connection, 20).is_last is False
        assert stage(connection, 20) == Slice({"spans": 20, "requests": 10}, True)
    assert count(connection, "entries") == 0


def test_what_no_rollup_holds_yet_is_kept_until_it_is_counted(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    send(recorder, 1)
    recorder.flush()
    clock.move(MINUTE)
    send(recorder, 2)  # and the server is killed
    clock.move(10 * DAY)
    sweep_all(connection, clock())
    assert count(connection, "entries") == 1
    after = Recorder(connection, clock)
    after.flush()
    assert scalar(connection, "select sum(count) from rollups where resolution = 60"
                  " and endpoint_id = 0") == 2  # fmt: skip
    sweep_all(connection, clock())
    assert count(connection, "entries") == 0
    assert count(connection, "span_batches") == 0


def test_deleting_beside_a_store_leaves_its_figures_right(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    """Its open minutes are in memory; a crash after the deletion replays nothing twice."""
    for number in range(3):
        send(recorder, number)
        clock.move(8 * DAY)
    recorder.flush()
    sweep_all(connection, clock())
    assert count(connection, "entries") == 0
    send(recorder, 4)
    again = Recorder(connection, clock)  # as after a crash: the last request was not flushed
    again.flush()
    hours = "resolution = 60 and endpoint_id = 0"
    assert scalar(connection, f"select sum(count) from rollups where {hours}") == 4
    send(again, 5)
    again.flush()
    assert scalar(connection, f"select sum(count) from rollups where {hours}") == 5


def test_figures_go_by_their_resolution(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    for number in range(3):
        send(recorder, number, name=f"GET /{'abc'[number]}")
        clock.move(30 * MINUTE)
    recorder.flush()
    every = {1: 6, 10: 6, 60: 3 + 2}
    assert {r: count(connection, "rollups", f"resolution = {r}") for r in every} == every
    for days, expected in (
        (15, every),
        (17, {**every, 1: 0}),
        (91, {1: 0, 10: 0, 60: 5}),
        (402, {1: 0, 10: 0, 60: 0}),
    ):
        dry = count_old(connection, find_cut_offs(KEPT, START + days * DAY))
        before = count(connection, "rollups")
        done = sweep_all(connection, START + days * DAY)
        assert {r: count(connection, "rollups", f"resolution = {r}") for r in every} == expected
        assert done.removed["rollups"] == dry["rollups"] == before - count(connection, "rollups")


def insert_rollup(
    connection: Connection, project_id: int, endpoint_id: int, at: int, release_id: int
) -> None:
    connection.execute(
        """insert into rollups (project_id, resolution, endpoint_id, started_at, release_id, count,
            failed, duration_us, database_us, http_us, slow_us, slow_id, histogram)
        values (:p, 1, :e, :at, :r, 1, 0, 1, 0, 0, 1, 1, x'')""",
        {"p": project_id, "e": endpoint_id, "at": at, "r": release_id},
    )


def test_slices_of_figures_go_over_many_series_and_many_releases_of_an_instant(
    connection: Connection,
) -> None:
    for project_id in (1, 2):
        for endpoint_id in range(30):
            for minute in range(4):
                for release_id in range(1, 6):
                    insert_rollup(
                        connection, project_id, endpoint_id, START + minute * MINUTE, release_id
                    )
    stage = OldRollups({1: START + 3 * MINUTE, 10: START, 60: START})
    removed, slices, is_last = 0, 0, False
    while not is_last:
        with transaction(connection):
            done = stage(connection, 7)
        # as many as asked for, and at most the other releases of the last instant
        assert done.removed["rollups"] <= 7 + 4
        removed, slices, is_last = removed + done.removed["rollups"], slices + 1, done.is_last
    assert removed == 2 * 30 * 3 * 5
    assert slices > 50
    assert count(connection, "rollups") == count(
        connection, "rollups", f"started_at = {START + 3 * MINUTE}"
    )


def test_occurrences_and_counts_of_errors_go_and_groups_stay(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    record_errors(
        recorder,
        *(make_occurrence(happened_at=START + day * DAY) for day in range(0, 40, 10)),
    )
    done = sweep_all(connection, START + 45 * DAY)
    assert (done.removed["occurrences"], count(connection, "error_occurrences")) == (2, 2)
    assert count(connection, "error_counts", "resolution = 1") == 1
    assert count(connection, "error_counts", "resolution = 60") == 4
    [group] = connection.execute("select count, first_seen_at from error_groups").fetchall()
    assert tuple(group) == (4, START)
    sweep_all(connection, START + 500 * DAY)
    assert count(connection, "error_counts") == 0
    assert count(connection, "error_groups") == 1


def test_names_that_nothing_needs_make_room_under_their_cap(
    connection: Connection, clock: FakeClock
) -> None:
    recorder = Recorder(connection, clock, NameCaps(endpoints=2))
    for number, name in enumerate(("GET /a", "GET /b", "GET /c")):
        send(recorder, number, name=name)
    names = "select name from endpoints order by id"
    assert [row[0] for row in connection.execute(names)] == ["GET /a", "GET /b", OTHER]
    clock.move(430 * DAY)
    send(recorder, 4, name="GET /b")
    store = recorder.store
    stages = list_arrivals(find_cut_offs(KEPT, clock())), list_figures(find_cut_offs(KEPT, clock()))
    done = sweep(
        connection,
        UnusedNames(find_cut_offs(KEPT, clock()).names, store.flush, store.forget),
    )
    assert done.removed["endpoints"] == 0  # their figures are still there
    done = sweep(
        connection,
        *stages[0],
        *stages[1],
        UnusedNames(find_cut_offs(KEPT, clock()).names, store.flush, store.forget),
    )
    assert done.removed["endpoints"] == 2
    assert [row[0] for row in connection.execute(names)] == ["GET /b"]
    # what the store remembered of them is forgotten: the name gets a row again
    send(recorder, 5, name="GET /c")
    assert [row[0] for row in connection.execute(names)] == ["GET /b", "GET /c"]
    [entry] = connection.execute("select endpoint_id from entries order by id desc limit 1")
    assert count(connection, "endpoints", f"id = {entry[0]} and name = 'GET /c'") == 1


def test_releases_go_unless_a_deploy_an_error_or_figures_name_them(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    for number, version in enumerate(("unused", "deployed", "counted")):
        recorder.record(
            [SentSpan(make_trace_id(number), clock())], resource={"service.version": version}
        )
    record_errors(recorder, make_occurrence(version="broken"))
    recorder.flush()
    insert_row(connection, make_deploy(id=5))
    connection.execute("update releases set deploy_id = 5 where version = 'deployed'")
    clock.move(430 * DAY)
    connection.execute(
        "update rollups set started_at = :at where resolution = 60 and release_id ="
        " (select id from releases where version = 'counted')",
        {"at": clock() - HOUR},
    )
    done = sweep_all(connection, clock())
    assert done.removed["releases"] == 1
    versions = connection.execute("select version from releases order by id").fetchall()
    assert [row[0] for row in versions] == ["deployed", "counted", "broken"]


def test_names_wait_while_a_crash_left_something_to_count(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    send(recorder, 1)
    recorder.flush()
    connection.execute("delete from rollups")
    connection.execute("delete from entries")
    clock.move(430 * DAY)
    send(recorder, 2, name="GET /new")
    assert sweep(connection, UnusedNames(clock())).removed["endpoints"] == 0
    recorder.flush()
    assert sweep(connection, UnusedNames(clock())).removed["endpoints"] == 1


def test_a_look_for_names_that_fails_leaves_no_figures_behind(
    connection: Connection, recorder: Recorder
) -> None:
    send(recorder, 1)
    stage = UnusedNames(START, recorder.store.flush, recorder.store.forget)
    with pytest.raises(OverflowError), transaction(connection):
        stage(connection, 2**70)
    recorder.flush()
    assert scalar(connection, "select sum(count) from rollups where resolution = 1") == 2


def test_a_deleted_project_takes_its_telemetry_along_and_no_other_s(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    for number in range(60):
        for project_id in (1, 2):
            recorder.record([SentSpan(make_trace_id(number), clock())], project_id)
        clock.move(MINUTE)
    record_errors(recorder, make_occurrence())
    recorder.flush()
    connection.execute("delete from refusals")
    assert sweep(connection, GoneProjects()).removed == {}
    recorder.record([SentSpan(make_trace_id(99), clock())], 1)
    with transaction(connection):
        delete_project(connection, Act("ann", START, IdMaker(clock)), "shop")
    with pytest.raises(NotFound):
        recorder.record([SentSpan(make_trace_id(100), clock())], 1)
    # a flush that was about to happen, and a deletion that was broken off
    recorder.flush()
    broken_off = Sweep([GoneProjects()])
    for _ in range(3):
        with transaction(connection):
            broken_off.step(connection)
    assert not broken_off.is_done
    done = sweep(connection, GoneProjects())
    assert done.removed["requests"] > 0
    tables = (
        "span_batches", "span_batch_traces", "entries", "rollups", "endpoints", "releases",
        "error_occurrences", "error_counts", "error_releases", "error_recent",
    )  # fmt: skip
    for table in tables:
        assert count(connection, table, "project_id = 1") == 0, table
    assert [count(connection, table, "project_id = 2") for table in tables[:3]] == [60] * 3


def test_what_a_project_left_in_figures_alone_is_found(connection: Connection) -> None:
    insert_rollup(connection, 2, 1, START, 1)
    insert_rollup(connection, 77, 1, START, 1)
    assert sweep(connection, GoneProjects()).removed["rollups"] == 1
    assert count(connection, "rollups") == 1


class Seconds:
    """A timer that shows each slice as `taken` seconds long."""

    def __init__(self) -> None:
        self.taken = 0.0
        self._now = 0.0
        self._odd = True

    def __call__(self) -> float:
        self._odd = not self._odd
        self._now += self.taken if self._odd else 0.0
        return self._now


def test_slices_follow_the_time_that_they_take(connection: Connection) -> None:
    timer = Seconds()
    sizes: list[int] = []

    def stage(connection: Connection, size: int) -> Slice:
        sizes.append(size)
        return Slice({"rows": size}, False)

    long = Sweep([stage], timer)
    timer.taken = SLICE_SECONDS / 10
    for _ in range(12):
        assert long.step(connection) == pytest.approx(timer.taken)
    assert sizes[:3] == [FIRST_SIZE, 2 * FIRST_SIZE, 4 * FIRST_SIZE]
    assert sizes[-1] == LARGEST_SIZE
    timer.taken = SLICE_SECONDS / 2
    long.step(connection)
    assert long.size == LARGEST_SIZE
    timer.taken = SLICE_SECONDS * 1.1
    for _ in range(20):
        long.step(connection)
    assert long.size == 1
    assert long.removed["rows"] == sum(sizes)


def test_the_file_stops_growing(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    """A steady load and a sweep every few hours, for three times as long as anything is kept."""
    kept = Lifetimes(spans=DAY, errors=DAY, minutes=DAY, ten_minutes=2 * DAY, hours=8 * DAY)
    pages: list[int] = []
    number = 0
    for _day in range(24):
        for _ in range(4):
            for _ in range(6):
                number += 1
                clock.move(HOUR)
                at = clock()
                recorder.record(
                    [SentSpan(make_trace_id(number * 50 + i), at + i, f"GET /{i % 5}")
                     for i in range(50)]
                )  # fmt: skip
                record_errors(recorder, make_occurrence(happened_at=at, message=f"no {number}"))
            recorder.flush()
            sweep_all(connection, clock(), kept)
        pages.append(scalar(connection, "PRAGMA page_count"))
    assert pages[0] < pages[7]
    full = max(pages[8:11])
    assert max(pages[11:]) <= full * 1.02
    assert scalar(connection, "PRAGMA integrity_check") == "ok"


def test_lag_is_told_from_the_rows(
    connection: Connection, recorder: Recorder, clock: FakeClock
) -> None:
    assert explain_lag(find_lag(connection), KEPT, clock()) == []
    send(recorder, 1)
    clock.move(50_000_000)
    assert explain_lag(find_lag(connection), KEPT, clock()) == []
    clock.move(3 * MINUTE)
    assert explain_lag(find_lag(connection), KEPT, clock()) == [
        "the figures are 3m behind what came in"
    ]
    assert explain_lag(find_lag(connection), KEPT, clock(), since=clock()) == []
    recorder.flush()
    assert explain_lag(find_lag(connection), KEPT, clock()) == []
    clock.move(8 * DAY + HOUR)
    [told] = explain_lag(find_lag(connection), KEPT, clock())
    assert told == "spans are kept for 7d, but the oldest came in 8d ago"
    assert explain_lag(find_lag(connection), KEPT, clock(), since=clock() - MINUTE) == []
    sweep_all(connection, clock())
    assert explain_lag(find_lag(connection), KEPT, clock()) == []
