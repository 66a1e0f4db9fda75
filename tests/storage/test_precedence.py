"""Pages before senders: who stops, for how long, and when it goes on. No thread is timed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from miniapm import clock
from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection
from miniapm.storage.database import open_database
from miniapm.storage.precedence import LONGEST_SECONDS, RESTS, Precedence
from miniapm.storage.projects import Project, insert_project


class Timer:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.seconds


def test_nobody_stops_where_no_page_is_made() -> None:
    precedence = Precedence()
    assert not precedence.is_held
    with precedence.hold():
        with precedence.hold():
            pass
        held = precedence.is_held
    assert (held, precedence.is_held) == (True, False)
    precedence.give_way()


def test_rests_are_in_proportion_to_work_and_bounded() -> None:
    timer = Timer()
    precedence = Precedence(timer)
    assert precedence.find_rest() == LONGEST_SECONDS
    precedence.give_way()
    assert precedence.find_rest() == 0
    timer.seconds += 0.002
    assert precedence.find_rest() == pytest.approx(0.002 * RESTS)
    precedence.give_way()
    assert precedence.find_rest() == 0
    timer.seconds += 60
    assert precedence.find_rest() == LONGEST_SECONDS


def test_each_thread_rests_for_its_own_work() -> None:
    timer = Timer()
    precedence = Precedence(timer)
    with ThreadPoolExecutor(1) as other:
        other.submit(precedence.give_way).result()
        timer.seconds += 0.001
        precedence.give_way()
        assert precedence.find_rest() == 0
        assert other.submit(precedence.find_rest).result() == pytest.approx(0.001 * RESTS)


def test_pages_that_never_end_do_not_stop_ingest() -> None:
    precedence = Precedence()
    with precedence.hold(), ThreadPoolExecutor(1) as worker:
        for _ in range(3):
            worker.submit(precedence.give_way).result()


def test_who_stops_goes_on_when_the_page_is_made() -> None:
    precedence = Precedence(longest_seconds=3600)
    done: list[str] = []

    def work() -> None:
        precedence.give_way()
        done.append("body")

    with ThreadPoolExecutor(1) as worker:
        with precedence.hold():
            stopped = worker.submit(work)
            done.append("page")
        stopped.result()
    assert done == ["page", "body"]


def test_a_long_write_gives_way_in_its_midst(tmp_path: Path) -> None:
    timer = Timer()
    inserted: list[int] = []

    async def write() -> None:
        async with open_database(
            tmp_path / "miniapm.db", clock.now, IdMaker(clock.now), precedence=Precedence(timer)
        ) as database:
            await database.write(_insert_projects, inserted)

    asyncio.run(write())
    assert len(inserted) == 500
    # whoever gives way looks at the timer: not once for each, nor only once they are done
    assert 5 < timer.asked < 500


def _insert_projects(connection: Connection, inserted: list[int]) -> None:
    for one in range(1, 501):
        insert_project(connection, Project(one, f"p{one}", "P", 0))
        inserted.append(one)
