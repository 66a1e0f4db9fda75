"""Deploys as markers: which there are, and how many at most."""

from miniapm.clock import MINUTE
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.markers import MAX_MARKERS, find_markers
from miniapm.storage.deploys.rows import insert_row
from tests.factories import START, make_deploy


def test_a_marker_tells_what_it_stands_for(connection: Connection) -> None:
    insert_row(
        connection,
        make_deploy(id=7, version="v1.2", deployer="ana", status="failed", deployed_at=START),
    )
    [marker] = find_markers(connection, 1, None, None, START, START + 1)
    assert (marker.id, marker.at, marker.name) == (7, START, "v1.2")
    assert (marker.status, marker.deployer) == ("failed", "ana")
    assert (marker.service, marker.env) == ("shop", "production")
    assert not marker.is_observed


def test_a_marker_says_that_nobody_announced_it(connection: Connection) -> None:
    insert_row(connection, make_deploy(id=1, sources=("telemetry",)))
    insert_row(connection, make_deploy(id=2, sources=("telemetry", "api")))
    found = find_markers(connection, 1, None, None, START, START + 1)
    assert [marker.is_observed for marker in found] == [True, False]


def test_markers_are_those_of_the_time_and_lane_that_are_not_hidden(connection: Connection) -> None:
    def add(number: int, minutes: int, **more: object) -> None:
        insert_row(connection, make_deploy(id=number, deployed_at=START + minutes * MINUTE, **more))

    add(1, 5)
    add(2, 3, env="staging")
    add(3, 4, service="worker")
    add(4, 4, hidden_at=START)
    add(5, -1)
    add(6, 10)
    add(7, 4, project_id=2)

    def ids(env: str | None = None, service: str | None = None) -> list[int]:
        found = find_markers(connection, 1, env, service, START, START + 10 * MINUTE)
        return [marker.id for marker in found]

    assert ids() == [2, 3, 1]
    assert ids(env="production") == [3, 1]
    assert ids(service="shop") == [2, 1]
    assert ids("production", "shop") == [1]


def test_of_very_many_the_newest_are_shown(connection: Connection) -> None:
    for number in range(1, MAX_MARKERS + 3):
        insert_row(connection, make_deploy(id=number, deployed_at=START + number))
    found = find_markers(connection, 1, None, None, START, START + MINUTE)
    assert [marker.id for marker in found] == list(range(3, MAX_MARKERS + 3))
