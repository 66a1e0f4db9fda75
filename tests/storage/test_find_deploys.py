"""Finding deploys: filters, pages, search, and what stood around each."""

from typing import Any

import pytest

from miniapm.clock import MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import (
    Cursor,
    DeployFilter,
    find_deploys,
    find_lanes,
    find_latest_change,
    get_deploy,
)
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.deploys.shown import show_deploys
from miniapm.storage.deploys.surroundings import find_next_live, find_previous_live
from tests.factories import START, make_deploy

A, B, C = "a" * 40, "b" * 40, "c" * 40


def insert(connection: Connection, deploy_id: int, minutes: int, **fields: Any) -> Deploy:
    deploy = make_deploy(id=deploy_id, deployed_at=START + minutes * MINUTE, **fields)
    insert_row(connection, deploy)
    return deploy


def ids(connection: Connection, limit: int = 50, **wanted: Any) -> list[int]:
    found = find_deploys(connection, 1, DeployFilter(**wanted), limit)
    return [deploy.id for deploy in found]


def test_newest_first_and_only_its_own_project(connection: Connection) -> None:
    insert(connection, 1, 5)
    insert(connection, 2, 9)
    insert(connection, 3, 5)
    insert(connection, 4, 7, project_id=2)
    assert ids(connection) == [2, 3, 1]
    assert ids(connection, limit=2) == [2, 3]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"env": "staging"}, [2]),
        ({"service": "web"}, [3]),
        ({"status": "failed"}, [4]),
        ({"tag": "is_fix"}, [5]),
        ({"tag": "is"}, []),
        ({"hidden": True}, [6]),
        ({"since": START + 3 * MINUTE}, [5, 4, 3]),
        ({"until": START + 3 * MINUTE}, [2, 1]),
        ({"env": "production", "status": "succeeded", "until": START + 3 * MINUTE}, [1]),
    ],
)
def test_filters(connection: Connection, wanted: dict[str, Any], found: list[int]) -> None:
    insert(connection, 1, 1)
    insert(connection, 2, 2, env="staging")
    insert(connection, 3, 3, service="web")
    insert(connection, 4, 4, status="failed")
    insert(connection, 5, 5, tags=("sev1", "is_fix"))
    insert(connection, 6, 6, hidden_at=START)
    assert ids(connection, **wanted) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("AAAA", [1]),
        ("v1.2", [1]),
        ("ann", [1]),
        ("zahlung", [1]),
        ("ÄRGER", [1]),
        ("sev1", [1]),
        ("100%", [2]),
        ("1_0", []),
        ("%", [2]),
        ("\\", []),
        ("nothing", []),
        ("x" * 100_000, []),
    ],
)
def test_search_looks_into_names_and_texts(
    connection: Connection, query: str, found: list[int]
) -> None:
    insert(
        connection,
        1,
        1,
        git_sha=A,
        version="v1.2.3",
        deployer="Ann",
        title="Zahlung",
        description="weniger Ärger",
        tags=("sev1",),
    )
    insert(connection, 2, 2, git_sha=B, title="100% done", deployer="bob")
    assert ids(connection, query=query) == found


def test_pages_follow_each_other_without_gap_or_repeat(connection: Connection) -> None:
    for deploy_id in range(1, 24):
        insert(connection, deploy_id, deploy_id // 4)
    seen: list[int] = []
    cursor = None
    while page := find_deploys(connection, 1, DeployFilter(), 5, cursor):
        seen += [deploy.id for deploy in page]
        cursor = Cursor(page[-1].deployed_at, page[-1].id)
    assert seen == list(range(23, 0, -1))


def test_one_deploy_hidden_or_not_but_never_another_projects(
    connection: Connection,
) -> None:
    deploy = insert(connection, 1, 1, hidden_at=START, tags=("b", "a"), sources=("github", "api"))
    assert get_deploy(connection, 1, 1) == deploy
    for project_id, deploy_id in ((2, 1), (1, 2)):
        with pytest.raises(NotFound):
            get_deploy(connection, project_id, deploy_id)


def test_neighbours_are_live_and_of_the_same_service_and_env(
    connection: Connection,
) -> None:
    first = insert(connection, 1, 0)
    insert(connection, 2, 1, status="failed")
    insert(connection, 3, 2, hidden_at=START)
    insert(connection, 4, 3, env="staging")
    insert(connection, 5, 4, service="web")
    insert(connection, 6, 5, project_id=2)
    last = insert(connection, 7, 6)
    assert find_previous_live(connection, last) == first
    assert find_next_live(connection, first) == last
    assert find_previous_live(connection, first) is None
    assert find_next_live(connection, last) is None


def test_the_story_of_a_lane_is_told(connection: Connection) -> None:
    story = [
        (A, "succeeded", "first"),
        (B, "succeeded", "deploy"),
        (B, "succeeded", "redeploy"),
        (A, "succeeded", "rollback"),
        (B, "succeeded", "rollforward"),
        (C, "failed", "deploy"),
        (C, "succeeded", "retry"),
    ]
    for number, (sha, status, _) in enumerate(story, start=1):
        insert(connection, number, number * 20, git_sha=sha, status=status)
    told = show_deploys(connection, find_deploys(connection, 1, DeployFilter(), 50)[::-1])
    assert [one.kind.kind for one in told] == [kind for _, _, kind in story]
    assert [one.previous_id for one in told] == [None, 1, 2, 3, 4, 5, 5]


def test_hiding_changes_what_the_others_were(connection: Connection) -> None:
    insert(connection, 1, 0, git_sha=A)
    insert(connection, 2, 20, git_sha=B)
    back = insert(connection, 3, 40, git_sha=A)
    assert show_deploys(connection, [back])[0].kind.kind == "rollback"
    connection.execute("update deploys set hidden_at = 1 where id = 2")
    assert show_deploys(connection, [back])[0].kind.kind == "redeploy"


def test_lanes_and_the_latest_change(connection: Connection) -> None:
    assert find_lanes(connection, 1) == []
    assert find_latest_change(connection, 1) == 0
    for number, (service, env) in enumerate([("b", "x"), ("a", "y"), ("a", "x"), ("a", "x")]):
        insert(connection, number + 1, number, service=service, env=env)
    insert(connection, 9, 99, project_id=2, service="z")
    assert find_lanes(connection, 1) == [("a", "x"), ("a", "y"), ("b", "x")]
    assert find_latest_change(connection, 1) == START + 3 * MINUTE
