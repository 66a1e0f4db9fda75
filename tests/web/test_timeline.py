"""The timeline: its rows, days, filters, pages, and what stands there when there is nothing."""

import subprocess
from collections.abc import Callable
from os import environ

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.domain.deploys.values import Commit
from miniapm.exceptions import Invalid
from miniapm.web.filters import PageFilter, read_filter
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/deploys"


def show(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def names(page: Element) -> list[str]:
    return [link.text for link in page.select("tr td.rev a")]


def test_a_row_tells_all_of_a_deploy(server: Server) -> None:
    deploy = add_deploy(
        server,
        version="v1.2.3",
        git_sha="abcdef1234567890",
        deployer="ana",
        description="Faster checkout\nand more",
        tags=("hotfix",),
    )
    page = show(server.sign_in())
    row = page.one(f"tr#d{deploy.id}")
    assert row.one("time")["datetime"] == to_rfc3339(deploy.deployed_at)
    link = row.one("td.rev a")
    assert (link.text, link["href"]) == ("v1.2.3", f"{PAGE}/{deploy.id}")
    assert row.one("td.rev code").text == "abcdef1"
    assert row.one("td.rev")["data-sha"] == "abcdef1234567890"
    assert row.one("td.st").text == "succeeded"
    assert row.one("span.env.production").text == "production"
    service, deployer, title, strip = row.select("td")[4:]
    assert (service.text, deployer.text, strip.text) == ("shop", "ana", "")
    assert title.one("span.kind").text.startswith("first")
    assert title.one("bdi").text == "Faster checkout"
    assert title.one("i").text == "hotfix"


def test_only_production_is_filled(server: Server) -> None:
    add_deploy(server, env="staging")
    assert "production" not in show(server.sign_in()).one("td span.env")["class"]


def test_a_deploy_without_a_title_has_its_head_commits(server: Server) -> None:
    commits = (Commit("0" * 40, None, "Older"), Commit("fffffff123", None, "Newest\n\nBody"))
    add_deploy(server, git_sha="fffffff", commits=commits)
    assert show(server.sign_in()).one("td bdi").text == "Newest"


@pytest.mark.parametrize(
    ("status", "words"),
    [("started", "started"), ("failed", "failed"), ("cancelled", "cancelled"),
     ("timed_out", "timed out")],
)  # fmt: skip
def test_what_is_not_live_says_so(server: Server, status: str, words: str) -> None:
    add_deploy(server, status=status)
    row = show(server.sign_in()).one(f"tr.{status}")
    assert row.one("td.st").text == words


def test_kinds_are_told_apart_with_their_reasons(server: Server) -> None:
    for sha, status in (("a", "failed"), ("a", "succeeded"), ("b", "succeeded"),
                        ("b", "succeeded"), ("a", "succeeded"), ("b", "succeeded")):  # fmt: skip
        add_deploy(server, git_sha=sha * 40, version=None, status=status)
    page = show(server.sign_in())
    kinds = [kind.attributes["class"].removeprefix("kind ") for kind in page.select("span.kind")]
    assert kinds == ["roll-forward", "rollback", "redeploy", "retry", "first"]
    rollback = page.one("span.kind.rollback")
    why = rollback.one("span.why").text
    assert why == "aaaaaaa was live before bbbbbbb, which it replaces."
    # by pointer, by keyboard and on a phone
    assert rollback["tabindex"] == "0"


def test_days_are_those_of_the_viewers_zone(server: Server) -> None:
    # 2025-10-09T22:30Z is the tenth in Berlin
    night = START - START % DAY + DAY + 22 * HOUR + 30 * MINUTE
    server.clock.instant = night + 6 * HOUR
    add_deploy(server, deployed_at=night)
    add_deploy(server, deployed_at=night - HOUR)
    browser = server.sign_in()
    days = [row.text for row in show(browser).select("tr.day")]
    assert days == ["Yesterday, Friday 10 October"]
    browser.cookies.set("tz", "Europe/Berlin")
    days = [row.text for row in show(browser).select("tr.day")]
    assert days == ["Today, Saturday 11 October", "Yesterday, Friday 10 October"]
    assert [time.text for time in show(browser).select("td time")] == ["00:30", "23:30"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?env=staging", ["v2"]),
        ("?service=worker", ["v3"]),
        ("?env=staging&service=worker", []),
        ("?status=failed", ["v4"]),
        ("?tag=hotfix", ["v5"]),
        ("?q=DEADBEEF", ["v2"]),
        ("?q=v3", ["v3"]),
        ("?q=ana", ["v4"]),
        ("?q=cart", ["v5"]),
        ("?q=100%25", []),
        ("?range=1h", ["v5", "v4", "v3", "v2"]),
        ("?from=2025-10-08T00:00:00Z&to=2025-10-09T00:00:00Z", ["v1"]),
    ],
)
def test_filters_narrow_the_list(server: Server, query: str, expected: list[str]) -> None:
    add_deploy(server, version="v1", deployed_at=START - DAY)
    add_deploy(server, version="v2", env="staging", git_sha="deadbeef99")
    add_deploy(server, version="v3", service="worker")
    add_deploy(server, version="v4", status="failed", deployer="Ana")
    add_deploy(server, version="v5", tags=("hotfix",), title="Empty the cart")
    server.clock.move(HOUR // 2)
    assert names(show(server.sign_in(), query)) == expected


def test_filters_survive_every_link(server: Server) -> None:
    for number in range(51):
        add_deploy(server, version=f"v{number}", env="staging", service="shop")
    page = show(server.sign_in(), "?env=staging&service=shop&range=90d&q=v&status=succeeded")
    older = page.one('nav.pages a[rel="next"]')["href"]
    for part in ("env=staging", "service=shop", "range=90d", "q=v", "status=succeeded"):
        assert part in older
    assert page.select("td.rev a")[0]["href"].endswith("?env=staging&service=shop&range=90d")
    for link in page.select("header.bar nav a"):
        assert link["href"].endswith("?env=staging&service=shop&range=90d")
    chosen = [o.text for o in page.select("form.filters option") if "selected" in o.attributes]
    assert chosen == ["staging", "shop", "succeeded", "90 days"]
    assert page.one("input#q")["value"] == "v"


def test_menus_offer_what_there_is_and_what_was_asked_for(server: Server) -> None:
    add_deploy(server, env="staging", service="shop")
    page = show(server.sign_in(), "?env=nowhere")
    menus = page.select("form.filters select")
    assert [option.text for option in menus[0].select("option")] == ["All", "nowhere", "staging"]
    assert [option.text for option in menus[1].select("option")] == ["All", "shop"]


def test_pages_follow_each_other_without_gap_or_repeat(server: Server) -> None:
    expected = [add_deploy(server, version=f"v{n}").version for n in range(120)][::-1]
    # the same instant: the order is still one
    same = START + DAY
    expected = [add_deploy(server, version=f"s{n}", deployed_at=same).version for n in range(3)][
        ::-1
    ] + expected
    browser = server.sign_in()
    seen: list[str] = []
    query = ""
    for _ in range(3):
        page = show(browser, query)
        seen += names(page)
        older = page.select('nav.pages a[rel="next"]')
        query = older[0]["href"].removeprefix(PAGE) if older else ""
    assert (seen, query) == (expected, "")
    newest = page.select("nav.pages a")[0]
    assert (newest.text, newest["href"]) == ("Newest", PAGE)


def test_a_full_page_is_small(server: Server) -> None:
    for number in range(60):
        add_deploy(
            server,
            version=f"v2025.10.{number}",
            git_sha=f"{number:02}" + "abcdef01" * 4 + "abcdef",
            deployer="github-actions",
            title="Charge cards once when the gateway answers twice",
            deployed_at=START + number * MINUTE + 123456,
            env=("production", "staging")[number % 2],
        )
    page = server.sign_in().get(PAGE)
    assert len(parse_html(page.text).select("td.rev")) == 50
    assert len(page.content) < 30_000


def test_what_cannot_be_asked_is_refused_by_name(server: Server) -> None:
    browser = server.sign_in()
    for query, name in (
        ("?range=2y", "range"),
        ("?status=fine", "status"),
        ("?cursor=abc", "cursor"),
        ("?from=yesterday", "from"),
    ):
        answer = browser.get(PAGE + query)
        assert answer.status_code == 400
        assert name in parse_html(answer.text).one("main").text


def test_hidden_ones_stand_apart_and_can_be_restored(server: Server) -> None:
    add_deploy(server, version="v1")
    hidden = add_deploy(server, version="v2", hidden_at=START)
    member = server.sign_in("member")
    assert names(show(member)) == ["v1"]
    page = show(member, "?hidden=1")
    assert names(page) == ["v2"]
    form = page.one("td form")
    assert form["action"] == f"{PAGE}/{hidden.id}/restore"
    assert member.post(form["action"]).status_code == 303
    assert server.rows("select hidden_at from deploys where id = :id", id=hidden.id) == [
        {"hidden_at": None}
    ]
    add_deploy(server, version="v3", hidden_at=START)
    page = show(server.sign_in("viewer"), "?hidden=1")
    assert (names(page), page.select("td form")) == (["v3"], [])


def test_a_filter_without_match_says_so(server: Server) -> None:
    add_deploy(server)
    page = show(server.sign_in(), "?q=nothing-like-it")
    assert "No deploy matches" in page.one("div.nothing").text
    assert page.one("div.nothing a")["href"] == PAGE


def test_the_empty_state_carries_a_curl_that_works(
    server: Server, program: Callable[[str], str]
) -> None:
    browser = server.sign_in()
    page = show(browser)
    command = page.one("pre.command").raw_text.strip()
    assert server.url in command
    program("curl")
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": environ["PATH"], "MINIAPM_API_KEY": server.make_key()},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout.strip() == "202"
    assert [row["version"] for row in server.rows("select version from deploys")] == ["v1.0.0"]
    assert names(show(browser)) == ["v1.0.0"]


def test_the_empty_state_tells_what_was_refused(server: Server) -> None:
    key = server.make_key()
    bad = {"git_sha": "${{ github.sha }}"}
    for secret in (key, "proj_unknown"):
        answer = server.http.post(
            "/ingest/deploys", json=bad, headers={"Authorization": f"Bearer {secret}"}
        )
        assert answer.status_code in (400, 401)
    # the refusals ride in the same queue as this write
    server.make_key()
    admin, member = show(server.sign_in("admin")), show(server.sign_in("member"))
    assert [row.select("td")[1].text for row in admin.select("table.refusals tbody tr")] == [
        "400",
        "401",
    ]
    assert [row.select("td")[1].text for row in member.select("table.refusals tbody tr")] == ["400"]
    assert "github.sha" in member.one("table.refusals").text


def test_another_projects_deploys_stay_there(server: Server) -> None:
    context = server.running.context
    server.run(factories.insert_project(context, "other"))
    add_deploy(server, project="other", version="theirs")
    assert "theirs" not in server.sign_in().get(PAGE).text
    assert server.sign_in("viewer", ("default",)).get("/p/other/deploys").status_code == 404


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_a_sender_writes_becomes_markup(server: Server, text: str) -> None:
    deploy = add_deploy(
        server,
        version=text,
        git_sha=text,
        env=text[:100],
        service=text[:100],
        deployer=text,
        title=text,
        tags=(text,),
    )
    add_deploy(server, version="plain")
    browser = server.sign_in()
    page = show(browser)
    row = page.one(f"tr#d{deploy.id}")
    assert row.one("td.rev a").raw_text == text
    assert row.one("td.rev")["data-sha"] == text
    assert len(row.select("td")) == 8
    assert [script["src"][:8] for script in page.select("script")] == ["/static/"]
    assert page.select("style") == []
    assert not any(n.startswith("on") for e in page.walk() for n in e.attributes)
    assert names(page)[0] == "plain"
    # as a filter it comes back as it was asked
    page = parse_html(browser.get(PAGE, params={"q": text, "tag": text}).text)
    assert page.one("input#q")["value"] == text
    assert names(page) == [text]


def test_a_filter_writes_itself_as_it_was_read() -> None:
    wanted = read_filter({"env": "a b&c", "q": "100%", "from": "2025-10-01T00:00:00Z"})
    assert wanted.query() == "?env=a+b%26c&q=100%25&from=2025-10-01T00%3A00%3A00Z"
    assert wanted.query(env="", since="", q="") == ""
    assert PageFilter(cursor="x", env="e").query(service="s") == "?env=e&service=s"


def test_a_filter_names_every_part_that_cannot_be() -> None:
    with pytest.raises(Invalid) as caught:
        read_filter({"range": "1y", "status": "ok", "cursor": "!", "to": "never"})
    assert set(caught.value.fields) == {"range", "status", "cursor", "to"}
