"""Many announcements as one: the rows are those that one by one would have left."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.deploys.values import Announcement
from miniapm.storage.connection import Connection, open_connection
from miniapm.storage.deploys.record import Recorded, record_announcement
from miniapm.storage.deploys.record_together import RecordCall, record_together
from miniapm.storage.deploys.replays import Replay
from miniapm.storage.migrations import migrate
from miniapm.storage.projects import Project, insert_project
from tests.factories import START, make_announcement


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    path = tmp_path / "miniapm.db"
    opened = open_connection(path, create=True)
    migrate(opened, path, START)
    insert_project(opened, Project(1, "shop", "Shop", START))
    insert_project(opened, Project(2, "blog", "Blog", START))
    yield opened
    opened.close()


def shown(connection: Connection) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in connection.execute(
            """select project_id, service, env, git_sha, version, status, deployed_at, sources,
            deployer from deploys order by 1, 2, 3, 4, 5, 6, 7"""
        )
    ]


def record_as_the_writer_does(
    connection: Connection, calls: list[RecordCall]
) -> list[Recorded | None]:
    """Together, then what was left one by one."""
    results = record_together(connection, calls)
    for call, result in zip(calls, results, strict=True):
        if result is None:
            record_announcement(connection, *call)
    return results


def make_calls(announcements: list[Announcement]) -> list[RecordCall]:
    return [(a, number, HOUR, None) for number, a in enumerate(announcements, 1)]


def test_new_ones_are_stored_by_it_and_answered_with_their_own_ids(
    connection: Connection,
) -> None:
    shas = [f"{number:08x}" for number in range(100)]
    calls = make_calls([make_announcement(git_sha=sha) for sha in shas])
    results = record_together(connection, calls)
    assert results == [Recorded(number, is_new=True) for number in range(1, 101)]
    rows = connection.execute("select id, git_sha from deploys order by id").fetchall()
    assert [tuple(row) for row in rows] == list(enumerate(shas, 1))


def test_what_needs_judgement_is_left_alone(connection: Connection) -> None:
    record_announcement(connection, make_announcement(git_sha="known000"), 1000, HOUR)
    calls: list[RecordCall] = [
        (make_announcement(git_sha="known000"), 1, HOUR, None),
        (make_announcement(git_sha="twice000"), 2, HOUR, None),
        (make_announcement(git_sha="twice000"), 3, HOUR, None),
        (make_announcement(git_sha="tagged00", tags=("a",)), 4, HOUR, None),
        (make_announcement(git_sha="keyed000"), 5, HOUR, Replay("/ingest/deploys", "k", b"h")),
        (make_announcement(git_sha="counted0", every_call_counts=True), 6, HOUR, None),
        (make_announcement(git_sha="plain000"), 7, HOUR, None),
    ]
    results = record_together(connection, calls)
    assert results == [None] * 6 + [Recorded(7, is_new=True)]


def test_another_sources_deploy_is_left_to_be_merged(connection: Connection) -> None:
    github = make_announcement(git_sha="abcdef1234567890", source="github")
    record_announcement(connection, github, 1000, HOUR)
    [result] = record_as_the_writer_does(
        connection, make_calls([make_announcement(git_sha="abcdef1", at=START + MINUTE)])
    )
    assert result is None
    assert [row[7] for row in shown(connection)] == ["github,api"]


announcements = st.builds(
    make_announcement,
    project_id=st.sampled_from([1, 2]),
    env=st.sampled_from(["production", "qa"]),
    git_sha=st.sampled_from(["aaaaaaa1", "aaaaaaa2", "bbbbbbb1", "ccccccc1"]),
    version=st.sampled_from([None, "v1", "v2"]),
    status=st.sampled_from(["started", "succeeded", "failed"]),
    at=st.integers(0, 40).map(lambda minutes: START + minutes * MINUTE),
    tags=st.sampled_from([(), (), ("hot",)]),
    source=st.sampled_from(["api", "api", "import"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(announcements, min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_rows_are_those_of_one_by_one(
    connection: Connection, groups: list[list[Announcement]]
) -> None:
    def run(together: bool) -> list[tuple[Any, ...]]:
        connection.execute("begin")
        number = 0
        for group in groups:
            calls: list[RecordCall] = []
            for announcement in group:
                number += 1
                calls.append((announcement, number, HOUR, None))
            if together:
                record_as_the_writer_does(connection, calls)
            else:
                for call in calls:
                    record_announcement(connection, *call)
        rows = shown(connection)
        connection.execute("rollback")
        return rows

    assert run(together=True) == run(together=False)
