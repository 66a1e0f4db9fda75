"""Releases of foreign clients: how much one write reads and changes, and that they end."""

import pytest

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.payload import MAX_COMMITS
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Commit
from miniapm.domain.receivers.datadog_gate import GateQuestion
from miniapm.domain.receivers.sentry import DeployReport, ReleaseReport
from miniapm.storage.connection import Connection
from miniapm.storage.receivers import datadog_gates, sentry_releases
from miniapm.storage.receivers.forgetting import (
    RELEASES_KEPT_FOR,
    delete_releases_before,
)
from miniapm.storage.receivers.sentry_release_deploys import (
    ReleaseSender,
    change_release,
    mend_release_deploy,
    record_release_deploy,
)
from tests.factories import START

SENDER = ReleaseSender(Defaults(project_id=1, service="shop", key_id=1), None, HOUR)


def store(connection: Connection, number: int, *, count: int = 1, project_id: int = 1) -> list[int]:
    """Release `number` with commits of its own; the deploys to mend."""
    begin = number * MAX_COMMITS
    commits = tuple(Commit(f"{sha:040x}", None, "m") for sha in range(begin, begin + count))
    report = ReleaseReport(version=str(number), head=commits[0].sha, commits=commits)
    return change_release(connection, project_id, report, START + number * HOUR).to_mend


def deploy(connection: Connection, number: int, env: str, at: int) -> int:
    report = DeployReport(version=str(number), projects=(), fields={"environment": env})
    return record_release_deploy(connection, report, SENDER, at, START + at * HOUR).id


def count(connection: Connection, sql: str) -> int:
    return int(connection.execute(f"select count(*) from {sql}").fetchone()[0])


def test_a_deploy_reads_no_more_commits_than_it_keeps(connection: Connection) -> None:
    for number in range(6):
        store(connection, number, count=MAX_COMMITS if number else 1)
    deploy(connection, 0, "qa", 10)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    last = deploy(connection, 5, "qa", 11)
    connection.set_trace_callback(None)
    assert sum("foreign_releases.find_commits" in one for one in statements) == 1
    assert count(connection, f"deploy_commits where deploy_id = {last}") == MAX_COMMITS


def test_each_deploy_is_mended_by_a_write_of_its_own(connection: Connection) -> None:
    deploys = [deploy(connection, 1, f"env{number}", 10 + number) for number in range(3)]
    assert store(connection, 1) == deploys[::-1]
    assert count(connection, "deploy_commits") == 0
    mend_release_deploy(connection, 1, "1", deploys[0], START + DAY)
    assert count(connection, "deploy_commits") == 1
    shas = connection.execute("select git_sha from deploys order by id").fetchall()
    assert [row[0] for row in shas] == [f"{MAX_COMMITS:040x}", "1", "1"]


def test_nothing_is_mended_by_a_release_that_is_gone(connection: Connection) -> None:
    [found] = [deploy(connection, 1, "qa", 10)]
    sentry_releases.delete_release(connection, 1, "1")
    mend_release_deploy(connection, 1, "1", found, START + DAY)
    assert count(connection, "deploy_commits") == 0


def test_old_releases_are_forgotten_a_few_at_a_time(connection: Connection) -> None:
    for number in range(4):
        store(connection, number)
    store(connection, 0, project_id=2)
    deploy(connection, 0, "qa", 9)
    until = START + 3 * HOUR
    forgotten = [delete_releases_before(connection, until) for _ in range(3)]
    assert forgotten == [2, 2, 0]
    rows = connection.execute("select project_id, version from foreign_releases").fetchall()
    assert [tuple(row) for row in rows] == [(1, "3")]
    assert count(connection, "foreign_release_commits") == 1
    assert count(connection, "foreign_release_deploys") == 0
    assert count(connection, "deploys") == 1
    assert RELEASES_KEPT_FOR > 365 * DAY


def test_a_project_keeps_its_newest_releases(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentry_releases, "MOST_PER_PROJECT", 2)
    store(connection, 0, project_id=2)
    for number in (1, 2, 1, 3, 4):
        store(connection, number)
    rows = connection.execute(
        "select project_id, version from foreign_releases order by 1, 2"
    ).fetchall()
    assert [tuple(row) for row in rows] == [(1, "3"), (1, "4"), (2, "0")]
    assert count(connection, "foreign_release_commits") == 3


def test_a_project_keeps_its_newest_questions(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datadog_gates, "MOST_PER_PROJECT", 2)
    for number, project_id in ((1, 1), (2, 2), (3, 1), (4, 1), (5, 1)):
        question = GateQuestion(project_id, number, "shop", "qa", None, START)
        datadog_gates.insert_gate(connection, question)
    rows = connection.execute("select id from foreign_gates order by id").fetchall()
    assert [row[0] for row in rows] == [2, 4, 5]
