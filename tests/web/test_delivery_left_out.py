"""What stands in no delivery number: how many, and that each number leads to its deploys."""

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.values import Deploy
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.markup import parse_html

PAGE = "/p/default/delivery"


def find_list(href: str) -> str:
    [name] = parse_qs(urlsplit(href).query)["list"]
    return name


def leave_out(server: Server) -> dict[str, Deploy]:
    """A deploy for each reason to count in no number, another month's beside each, and one of
    another service; by the name of the list."""
    kinds: dict[str, dict[str, Any]] = {
        "left_out.hidden": {"hidden_at": START, "env": "staging"},
        "left_out.other_environments": {"env": "staging", "is_left_out": True},
        "left_out.left_out": {"is_left_out": True, "status": "failed"},
        "left_out.failed": {"status": "failed"},
        "left_out.cancelled": {"status": "cancelled"},
        "left_out.timed_out": {"status": "timed_out"},
        "left_out.started": {"status": "started"},
    }
    add_deploy(server, deployed_at=START - 50 * DAY)
    made = {}
    for name, fields in kinds.items():
        made[name] = add_deploy(server, deployed_at=START - 2 * DAY, **fields)
        add_deploy(server, deployed_at=START - 40 * DAY, **fields)
        add_deploy(server, deployed_at=START - 2 * DAY, service="mail", **fields)
    return made


def test_each_number_of_what_counts_nowhere_leads_to_its_deploys(server: Server) -> None:
    made = leave_out(server)
    browser, key = server.sign_in(), server.make_key("read")
    query = {"service": "shop", "range": "30d"}
    page = parse_html(browser.get(f"{PAGE}?{urlencode(query)}").text)
    rows = page.select(".apart li")
    assert [row.one("a").text for row in rows] == ["1"] * len(made)
    for row in rows:
        href = row.one("a")["href"]
        opened = parse_html(browser.get(href).text)
        [listed] = opened.select("table.behind tbody tr")
        assert f"d{made[find_list(href)].id}" == listed["id"]
        assert row.text == f"1 {listed.one('.part').text}"
        assert opened.one("nav.lists [aria-current] .count").text == "1"
    for name, deploy in made.items():
        answer = server.http.get(
            "/api/v1/delivery/deploys",
            params={**query, "list": name},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert [one["id"] for one in answer.json()["items"]] == [str(deploy.id)]
        assert answer.json()["items"][0]["failure"] is None


def test_what_is_not_there_is_said_to_be_not_there(server: Server) -> None:
    add_deploy(server, deployed_at=START - HOUR)
    page = parse_html(server.sign_in().get(f"{PAGE}?env=prodution&service=shop").text)
    assert page.one("p.hint").text == "Nothing was deployed to prodution of shop yet."
    assert page.one(".apart p").text == "No deploy of this time is left out."
