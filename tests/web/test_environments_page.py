"""What is live where: since when, and what production lacks of it; on the page and over the API."""

from typing import Any

from miniapm.clock import DAY, HOUR, to_rfc3339
from miniapm.domain.deploys.values import Commit, Deploy
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.markup import Element, parse_html

PAGE = "/p/default/environments"


def sha(letter: str) -> str:
    return letter * 40


def put(server: Server, env: str, letter: str, days: int, commits: str = "", **more: Any) -> Deploy:
    """A deploy so many days before START; `commits` are letters."""
    at = START - days * DAY
    brought = tuple(Commit(sha(c), at - HOUR, f"Do {c}", "ana") for c in commits)
    return add_deploy(server, env=env, git_sha=sha(letter), deployed_at=at, commits=brought, **more)


def show(server: Server, query: str = "") -> Element:
    answer = server.sign_in("viewer").get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def ask(server: Server, **query: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {server.make_key('read')}"}
    answer = server.http.get("/api/v1/environments", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["next_cursor"] is None
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def two_places(server: Server) -> tuple[Deploy, Deploy]:
    """Staging is three commits ahead, in two deploys; production redeployed and retried."""
    put(server, "staging", "a", 10, "a")
    put(server, "production", "a", 9, "a")
    live = put(server, "production", "a", 3)
    put(server, "production", "b", 2, "b", status="failed")
    put(server, "staging", "c", 6, "bc")
    ahead = put(server, "staging", "d", 5, "d", repository="https://github.com/acme/shop")
    put(server, "staging", "e", 1, "e", hidden_at=START)
    return live, ahead


def test_each_place_has_what_is_live_and_since_when(server: Server) -> None:
    live, ahead = two_places(server)
    production, staging = ask(server)
    assert (production["env"], production["deploy_id"]) == ("production", str(live.id))
    # the redeploy put out again what was live since the ninth day
    assert production["since"] == to_rfc3339(START - 9 * DAY)
    assert production["timestamp"] == to_rfc3339(START - 3 * DAY)
    assert (production["is_production"], production["ahead"]) == (True, None)
    assert (staging["env"], staging["deploy_id"]) == ("staging", str(ahead.id))
    assert (staging["is_production"], staging["compared_with"]) == (False, "production")


def test_the_difference_is_counted_and_listed(server: Server) -> None:
    _, ahead = two_places(server)
    staging = ask(server, env="staging")[0]
    assert (staging["ahead"]["is_known"], staging["ahead"]["count"]) == (True, 3)
    assert [one["sha"] for one in staging["ahead"]["commits"]] == [sha("d"), sha("b"), sha("c")]
    row = show(server).one(f"tr#d{ahead.id}")
    assert row.one("details summary").text == "3 commits ahead of production"
    links = [a["href"] for a in row.select("details li a")]
    assert links == [f"https://github.com/acme/shop/commit/{sha(one)}" for one in "dbc"]


def test_a_redeploy_to_staging_hides_no_commit(server: Server) -> None:
    two_places(server)
    put(server, "staging", "d", 0)
    assert ask(server, env="staging")[0]["ahead"]["count"] == 3


def test_what_nobody_told_is_said_to_be_unknown(server: Server) -> None:
    put(server, "production", "a", 9)
    deploy = put(server, "staging", "b", 5)
    assert ask(server, env="staging")[0]["ahead"] == {"is_known": False, "count": 0, "commits": []}
    row = show(server).one(f"tr#d{deploy.id}")
    assert row.one(".note").text == "how far from production is unknown"


def test_a_rolled_back_production_is_behind(server: Server) -> None:
    put(server, "production", "a", 9, "a")
    put(server, "staging", "b", 8, "b")
    put(server, "production", "b", 7, "b")
    put(server, "production", "a", 6)
    staging = ask(server, env="staging")[0]
    # its commits were in production, which went back behind them
    assert staging["ahead"] == {"is_known": True, "count": 0, "commits": []}


def test_a_deploy_without_commits_takes_away_no_commit_that_is_known(server: Server) -> None:
    put(server, "staging", "a", 10, "a")
    put(server, "production", "a", 9, "a")
    put(server, "production", "b", 8, "bc")
    deploy = put(server, "staging", "a", 7)
    told = ask(server, env="staging")[0]["behind"]
    assert (told["is_known"], told["count"]) == (True, 2)
    put(server, "production", "d", 6)
    told = ask(server, env="staging")[0]
    assert (told["behind"]["is_known"], told["behind"]["count"]) == (False, 2)
    assert [one["sha"] for one in told["behind"]["commits"]] == [sha("b"), sha("c")]
    row = show(server).one(f"tr#d{deploy.id}")
    assert row.one(".note").text == "nothing ahead of production"
    assert row.one("summary").text == "at least 2 commits behind production"


def test_behind_by_nobody_knows_how_much_is_said(server: Server) -> None:
    put(server, "production", "a", 9)
    deploy = put(server, "staging", "a", 8)
    put(server, "production", "b", 7)
    assert ask(server, env="staging")[0]["behind"] == {
        "is_known": False,
        "count": 0,
        "commits": [],
    }
    row = show(server).one(f"tr#d{deploy.id}")
    assert [note.text for note in row.select(".note")][-2:] == [
        "nothing ahead of production",
        "how far behind production is unknown",
    ]


def test_what_a_rollback_took_back_is_not_there(server: Server) -> None:
    put(server, "staging", "a", 10, "a")
    put(server, "production", "a", 9, "a")
    put(server, "production", "b", 8, "b")
    put(server, "production", "c", 7, "c")
    put(server, "production", "b", 6)
    behind = ask(server, env="staging")[0]["behind"]
    assert behind["is_known"]
    assert [one["sha"] for one in behind["commits"]] == [sha("b")]


def test_services_are_by_themselves_and_filters_narrow_the_list(server: Server) -> None:
    put(server, "production", "a", 9, service="web")
    put(server, "staging", "a", 9, service="web")
    put(server, "production", "b", 9, service="api")
    assert [(one["service"], one["env"]) for one in ask(server)] == [
        ("api", "production"), ("web", "production"), ("web", "staging"),
    ]  # fmt: skip
    page = show(server, "?service=web&env=staging")
    assert [row.text for row in page.select("tr.service")] == ["web"]
    assert [row.select("td")[0].text for row in page.select("tr[id]")] == ["staging"]


def test_an_empty_project_says_what_will_stand_here(server: Server) -> None:
    assert ask(server) == []
    assert show(server).select("table.places") == []
    put(server, "production", "a", 1, status="failed")
    assert "Nothing is live yet." in show(server).one("p.nothing").text
