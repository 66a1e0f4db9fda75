"""GET /api/v1/delivery and its list: what they take, refuse and answer where there is nothing."""

from typing import Any

import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.domain.deploys.values import Commit
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy

ADDRESS = "/api/v1/delivery"


def ask(
    server: Server, path: str = "", query: dict[str, str] | None = None, status: int = 200
) -> Any:
    headers = {"Authorization": f"Bearer {server.make_key('read')}"}
    answer = server.http.get(ADDRESS + path, params=query or {}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_no_data_is_null_and_every_n_is_zero(server: Server) -> None:
    told = ask(server)
    assert told["metrics"] == {
        "deployment_frequency": {"deploys": 0, "days": 0, "per_day": None},
        "change_lead_time": {"commits": 0, "median_us": None, "p90_us": None, "approximate": 0},
        "change_fail_rate": {"part": 0, "whole": 0, "share": None},
        "failed_deployment_recovery_time": {"recovered": 0, "open": 0, "median_us": None},
        "deployment_rework_rate": {"part": 0, "whole": 0, "share": None},
    }
    assert {one["metrics"] for one in told["periods"]} == {None}
    assert (told["envs"], told["services"]) == ([], {})
    assert ask(server, "/deploys") == {"items": [], "next_cursor": None}


def test_without_a_time_it_is_90_days_in_whole_weeks(server: Server) -> None:
    told = ask(server, query={"tz": "Europe/Berlin"})
    # START is Thursday, 9 October 2025
    assert (told["since"], told["period"], told["tz"]) == (
        "2025-07-06T22:00:00Z", "week", "Europe/Berlin",
    )  # fmt: skip
    assert len(told["periods"]) == 14
    assert [one["is_complete"] for one in told["periods"]] == [True] * 13 + [False]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"since": to_rfc3339(START - DAY), "until": to_rfc3339(START)}, "day"),
        ({"from": to_rfc3339(START - DAY), "to": to_rfc3339(START)}, "day"),
        ({"since": str((START - DAY) // 1_000_000), "to": to_rfc3339(START)}, "day"),
        ({"since": "2025-10-09", "until": "2025-10-10", "tz": "Europe/Berlin"}, "day"),
        ({"range": "30d"}, "day"),
        ({"range": "90d", "period": "month"}, "month"),
    ],
)
def test_time_is_said_in_several_ways(server: Server, query: dict[str, str], expected: str) -> None:
    add_deploy(server, deployed_at=START - HOUR)
    told = ask(server, query=query)
    assert told["period"] == expected
    assert told["metrics"]["deployment_frequency"]["deploys"] == 1
    if "tz" in query:
        assert (told["since"], told["until"]) == ("2025-10-08T22:00:00Z", "2025-10-09T22:00:00Z")
    elif "range" not in query:
        assert (told["since"], told["until"]) == (to_rfc3339(START - DAY), to_rfc3339(START))


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"period": "year"}, {"period"}),
        ({"tz": "Europe/Nowhere"}, {"tz"}),
        ({"range": "5d"}, {"range"}),
        ({"range": "7d", "since": "2025-01-01T00:00:00Z"}, {"range"}),
        ({"since": "soon", "to": "later"}, {"since", "to"}),
        ({"since": "2025-02-30"}, {"since"}),
        ({"since": "2025-01-01T00:00:00Z", "from": "2025-01-02T00:00:00Z"}, {"from"}),
        ({"from": "2025-01-02T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, {"from"}),
        ({"perod": "day"}, {"perod"}),
        ({"env": "x" * 101, "tz": ""}, {"env"}),
    ],
)
def test_every_bad_parameter_is_named(
    server: Server, query: dict[str, str], fields: set[str]
) -> None:
    for path in ("", "/deploys"):
        told = ask(server, path, query, 400)
        assert (told["error"], set(told["fields"])) == ("invalid", fields)


@pytest.mark.parametrize("query", [{"list": "all"}, {"limit": "0"}, {"cursor": "x"}])
def test_the_list_names_its_own(server: Server, query: dict[str, str]) -> None:
    assert set(ask(server, "/deploys", query, 400)["fields"]) == set(query)
    assert set(ask(server, "", query, 400)["fields"]) == set(query)


def test_the_list_goes_on_where_its_page_ended(server: Server) -> None:
    made = [add_deploy(server, deployed_at=START - n * HOUR) for n in range(1, 6)]
    found, query = [], {"limit": "2"}
    while True:
        page = ask(server, "/deploys", query)
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [str(one.id) for one in made]


def test_a_deploy_says_all_that_it_counts_for(server: Server) -> None:
    first = add_deploy(server, deployed_at=START - 5 * HOUR, version="v1")
    failed = add_deploy(
        server,
        deployed_at=START - 3 * HOUR,
        version="v2",
        commits=(Commit("c" * 40, START - 4 * HOUR, "Charge twice"),),
    )
    back = add_deploy(server, deployed_at=START - 2 * HOUR, version="v1", git_sha=first.git_sha)
    [one] = ask(server, "/deploys", {"list": "failed"})["items"]
    assert one["page"].endswith(f"/p/default/deploys/{failed.id}")
    assert {**one, "page": ""} == {
        "id": str(failed.id),
        "service": "shop",
        "env": "production",
        "git_sha": failed.git_sha,
        "version": "v2",
        "timestamp": to_rfc3339(START - 3 * HOUR),
        "is_redeploy": False,
        "rework": None,
        "failure": {
            "reason": "rollback",
            "words": "rolled back by v1",
            "by_id": str(back.id),
            "tag": None,
        },
        "recovered_at": to_rfc3339(START - 2 * HOUR),
        "recovered_by": str(back.id),
        "recovery_us": HOUR,
        "lead_time": {"commits": 1, "median_us": HOUR, "is_approximate": False},
        "page": "",
    }


def test_numbers_follow_every_edit_at_once(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - HOUR)
    headers = {"Authorization": f"Bearer {server.make_key('deploys:admin', 'read')}"}
    address = f"/api/v1/deploys/{deploy.id}"

    def count() -> tuple[int, int]:
        metrics = ask(server)["metrics"]
        return metrics["deployment_frequency"]["deploys"], metrics["change_fail_rate"]["part"]

    def patch(**fields: str | None) -> None:
        assert server.http.patch(address, json=fields, headers=headers).status_code == 200

    assert count() == (1, 0)
    patch(overruled="failed")
    assert count() == (1, 1)
    patch(overruled=None)
    assert count() == (1, 0)
    patch(tags="sev1")
    assert count() == (1, 1)
    patch(env="staging")
    assert count() == (0, 0)
    patch(env="live")
    assert count() == (1, 1)
    assert server.http.delete(address, headers=headers).status_code == 204
    assert count() == (0, 0)
    assert server.http.post(f"{address}/restore", headers=headers).status_code == 200
    assert count() == (1, 1)


def test_another_project_has_numbers_of_its_own(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    add_deploy(server, deployed_at=START - MINUTE)
    headers = {"Authorization": f"Bearer {server.make_key('read', project='other')}"}
    told = server.http.get(ADDRESS, headers=headers).json()
    assert told["metrics"]["deployment_frequency"]["deploys"] == 0
