"""The deploys of the bench are those that its figures are told for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.delivery import SERVICES, YEARS_US, fill
from miniapm import clock
from miniapm.clock import DAY
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.report import find_report
from miniapm.storage.projects import get_project
from tests.factories import make_database

DEPLOYS = 1_000


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    path: Path = tmp_path_factory.mktemp("bench") / "miniapm.db"
    made = make_database(path, "default")
    fill(made, DEPLOYS)
    yield made
    made.close()


def test_ten_commits_a_deploy_over_five_years(connection: Connection) -> None:
    [deploys, commits] = [
        connection.execute(f"select count(*) from {table}").fetchone()[0]
        for table in ("deploys", "deploy_commits")
    ]
    assert deploys == DEPLOYS
    assert 9.3 < commits / deploys < 10.7
    first, last = connection.execute(
        "select min(deployed_at), max(deployed_at) from deploys"
    ).fetchone()
    assert last - first > YEARS_US * 0.99


def test_every_rule_has_work_to_do(connection: Connection) -> None:
    project_id, now = get_project(connection, "default").id, clock.now()
    asked = Asked(now - YEARS_US - DAY, now + 1)
    stretch = find_report(connection, project_id, asked, DeliveryRules()).stretch
    outcomes = stretch.outcomes
    assert len(outcomes) == DEPLOYS
    assert {o.deploy.service for o in outcomes} == set(SERVICES)
    assert {o.failure.reason for o in outcomes if o.failure} == {"tag", "rollback", "revert", "fix"}
    assert 0.05 < sum(o.is_redeploy for o in outcomes) / DEPLOYS < 0.15
    assert sum(len(lead.waits) for lead in stretch.lead_times) > 8 * DEPLOYS
