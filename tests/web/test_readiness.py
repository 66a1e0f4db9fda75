"""`/readyz` says when telemetry is behind, when nothing is written, and when jobs do not end; the
jobs themselves run in a real server."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from miniapm.app import list_jobs
from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.otlp.traces import read_traces
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.ids import to_batch_id
from miniapm.exceptions import Busy
from miniapm.jobs import TROUBLE_AFTER_SECONDS, Job, Supervisor
from miniapm.storage.connection import Connection
from miniapm.storage.retention.job import RetentionJob, run_sweep
from miniapm.storage.retention.sweep import Slice, Sweep
from miniapm.web import health
from tests.conftest import FakeClock, Server, start_server
from tests.spans import DEFAULTS, SentSpan, make_trace_id, write_protobuf


@pytest.fixture
def server(tmp_path: Path, clock: FakeClock) -> Iterator[Server]:
    yield from start_server(
        tmp_path / "miniapm.db", clock, retention={"spans": "1d", "minutes": "2d"}
    )


def record(server: Server, number: int = 1, project_id: int | None = None) -> None:
    """A request of now."""
    context = server.running.context
    if project_id is None:
        [project] = server.rows("select id from projects")
        project_id = project["id"]
    body = write_protobuf([SentSpan(make_trace_id(number), server.clock())])
    telemetry = read_traces(body, DEFAULTS, server.clock(), Scrubber())
    store = context.database.telemetry
    server.run(context.database.write(store.record_spans, project_id, DEFAULTS, telemetry))


def run_job(server: Server, name: str) -> None:
    [job] = [job for job in list_jobs(server.running.context) if job.name == name]
    server.run(job.run())  # type: ignore[arg-type]


def reasons(server: Server) -> list[str]:
    answer = server.http.get("/readyz")
    told: list[str] = answer.json()["reasons"]
    assert answer.status_code == (503 if told else 200)
    return told


def test_spans_that_are_kept_too_long(server: Server) -> None:
    record(server)
    run_job(server, "flush rollups")
    server.clock.move(3 * DAY)
    assert reasons(server) == ["spans are kept for 1d, but the oldest came in 3d ago"]
    run_job(server, "retention")
    assert reasons(server) == []
    assert server.rows("select id from span_batches") == []
    assert server.rows("select * from rollups where resolution = 1") == []
    assert len(server.rows("select * from rollups where resolution = 10")) == 2
    kept = server.rows("select lifetime_us from lifetimes where kind = 'spans'")
    assert kept == [{"lifetime_us": DAY}]


def test_requests_that_are_not_in_the_figures(server: Server) -> None:
    [project] = server.rows("select id from projects")

    def insert(connection: Connection) -> None:
        # as if the flush had stopped: the store knows nothing of it
        connection.execute(
            """insert into entries (id, project_id, endpoint_id, release_id, started_at,
                duration_us, failed, database_us, database_count, http_us, http_count)
            values (:id, :project_id, 1, 1, 1, 1, 0, 0, 0, 0, 0)""",
            {"id": to_batch_id(server.clock()), "project_id": project["id"]},
        )

    server.run(server.running.context.database.write(insert))
    assert reasons(server) == []
    server.clock.move(5 * MINUTE)
    assert reasons(server) == ["the figures are 5m behind what came in"]


def test_figures_are_swept_once_an_hour_and_spans_at_any_time(server: Server) -> None:
    context = server.running.context
    job = RetentionJob(context.database, server.clock, context.config.lifetimes)
    server.clock.instant -= server.clock.instant % HOUR
    record(server, 1)
    run_job(server, "flush rollups")
    server.run(job.run())
    server.clock.move(2 * DAY + 59 * MINUTE)
    server.run(job.run())
    assert server.rows("select id from entries") == []
    assert len(server.rows("select count from rollups where resolution = 1")) == 2
    server.clock.move(MINUTE)
    server.run(job.run())
    assert server.rows("select count from rollups where resolution = 1") == []


def test_jobs_are_noted_for_other_processes(server: Server) -> None:
    supervisor = server.running.context.jobs
    assert isinstance(supervisor, Supervisor)

    async def fail() -> None:
        raise ValueError("no")

    async def work() -> None:
        pass

    for name, run in (("good", work), ("bad", fail), ("bad", fail)):
        server.run(supervisor.run_once(Job(name, 1.0, run)))
    run_job(server, "note jobs")
    rows = server.rows("select * from jobs where name in ('good', 'bad') order by name")
    now = server.clock()
    assert [tuple(row.values()) for row in rows] == [
        ("bad", None, 2, "ValueError", now),
        ("good", now, 0, "", now),
    ]


def test_a_job_that_does_not_end_is_told(clock: FakeClock) -> None:
    seconds = 0.0
    supervisor = Supervisor(clock, lambda: seconds)
    told: list[list[str]] = []

    async def hang() -> None:
        nonlocal seconds
        told.append(supervisor.find_troubles())
        seconds += TROUBLE_AFTER_SECONDS + 1
        told.append(supervisor.find_troubles())

    asyncio.run(supervisor.run_once(Job("retention", 1.0, hang)))
    assert told == [[], ["the job retention has not ended for 15 minutes"]]
    assert supervisor.find_troubles() == []


def test_a_writer_that_is_stuck_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = server.running.context.database.writer
    go_on = threading.Event()
    begun = threading.Event()

    def hold(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(20)

    async def submit() -> "asyncio.Future[None]":
        return writer.submit(hold)

    try:
        waiting = server.run(submit())
        assert begun.wait(20)
        assert reasons(server) == []
        monkeypatch.setattr(health, "STALLED_SECONDS", 0.0)
        assert ["nothing was written for" in reason for reason in reasons(server)] == [True]
    finally:
        go_on.set()

    async def wait() -> None:
        await waiting

    server.run(wait())
    assert writer.waiting == 0 or writer.stalled_seconds >= 0
    monkeypatch.undo()
    assert reasons(server) == []


def test_a_sweep_waits_when_there_is_no_room_and_gives_up_in_the_end(server: Server) -> None:
    database = server.running.context.database
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def refuse(connection: Connection, size: int) -> Slice:
        if len(pauses) < most:
            raise Busy("full", 7)
        return Slice({"rows": 1}, True)

    most = 9
    sweep = Sweep([refuse])
    server.run(run_sweep(database, sweep, pause))
    assert (sweep.is_done, pauses[:9]) == (True, [7] * 9)
    assert len(pauses) == 10
    most, left = 99, Sweep([refuse])
    pauses.clear()
    with pytest.raises(Busy):
        server.run(run_sweep(database, left, pause))
    assert not left.is_done
    assert pauses == [7] * 9


def test_rests_are_longer_than_slices(server: Server) -> None:
    pauses: list[float] = []
    ticks: Any = iter([0.0, 0.01, 1.0, 1.03])

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    slices = iter([Slice({}, False), Slice({}, True)])
    sweep = Sweep([lambda connection, size: next(slices)], lambda: next(ticks))
    server.run(run_sweep(server.running.context.database, sweep, pause))
    assert pauses == [pytest.approx(0.03), pytest.approx(0.09)]
