"""Receivers made, looked at and revoked in the browser."""

import httpx2
import pytest

from miniapm.clock import to_rfc3339
from miniapm.storage.receivers.deliveries import delete_deliveries_before
from tests.conftest import Server
from tests.web.hostile import HOSTILE_MARKUP
from tests.web.markup import Element, parse_html
from tests.web.receivers.hooks import Hook, make_hook, recorded

PAGE = "/p/default/settings/receivers"


def page_of(browser: httpx2.Client) -> Element:
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    return parse_html(answer.text)


def test_the_settings_lead_there(server: Server) -> None:
    page = parse_html(server.sign_in("viewer").get("/p/default/settings").text)
    assert page.one("#receivers a")["href"] == PAGE


def test_one_is_made_used_and_revoked(server: Server) -> None:
    browser = server.sign_in()
    form = page_of(browser).one("form#new-receiver")
    fields = {"kind": "github", "workflow": "deploy.yml\r\n Hotfix \r\n\r\n", "branch": "main"}
    answer = browser.post(form["action"], data=fields)
    assert answer.headers["cache-control"] == "no-store"
    made = parse_html(answer.text)
    address, secret = made.one("#address").text, made.one("#secret").text
    assert address.startswith(f"{server.url}/hooks/github/")
    [row] = server.rows("select * from receivers")
    assert (row["workflows"], row["branch"]) == ('["deploy.yml","Hotfix"]', "main")
    assert (row["secret"], row["env"], row["service"]) == (secret, None, None)
    hook = Hook(server, "github", row["id"], address.removeprefix(server.url), secret)
    hook.send(recorded("github/ping"), "ping")
    listed = page_of(browser)
    assert "runs of deploy.yml, Hotfix on main" in listed.one("#receivers").text
    assert "GitHub reaches this address." in listed.one("#receivers").text
    for text in (address.rpartition("/")[2], secret):
        assert text not in browser.get(PAGE).text
    revoke = listed.one("#receivers form")
    assert browser.post(revoke["action"]).headers["location"] == PAGE
    assert hook.send(recorded("github/ping"), "ping").status_code == 403
    assert page_of(browser).select("#receivers") == []


def test_the_last_delivery_is_told(server: Server) -> None:
    hook = make_hook(server, "github")
    assert "none yet" in page_of(server.sign_in()).one("#receivers").text
    hook.send(recorded("github/push.branch"), "push")
    assert "commits" in page_of(server.sign_in()).one("#receivers").text
    server.clock.move(60_000_000)
    answer = hook.send(recorded("github/deployment_status.success"), "deployment_status")
    link = page_of(server.sign_in()).one("#receivers td a")
    assert link["href"] == answer.headers["location"]


def test_a_refused_delivery_is_told(server: Server) -> None:
    hook, other = make_hook(server, "github"), make_hook(server, "github")
    hook.send(recorded("github/ping"), "ping")
    server.clock.move(60_000_000)
    hook.send(recorded("github/ping"), "ping", secret="wrong")
    other.send(recorded("github/ping"), "ping")
    first, second = page_of(server.sign_in()).select("#receivers tbody tr")
    assert "refused with 401: The header X-Hub-Signature-256 does not fit" in first.text
    assert "GitHub reaches this address." in second.text
    server.clock.move(60_000_000)
    hook.send(recorded("github/ping"), "ping")
    assert "refused with" not in page_of(server.sign_in()).one("#receivers").text


def test_what_came_long_ago_is_told_by_its_time(server: Server) -> None:
    hook = make_hook(server, "github")
    hook.send(recorded("github/ping"), "ping")
    at = server.clock()
    database = server.running.context.database
    assert server.run(database.write(delete_deliveries_before, at + 1)) == 1
    [row] = page_of(server.sign_in()).select("#receivers tbody tr")
    assert row.one("time")["datetime"].startswith(to_rfc3339(at)[:16])
    assert "none yet" not in row.text


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"kind": "gitea"}, "fault-kind"),
        ({"kind": "heroku", "workflow": "x"}, "fault-workflow"),
        ({"kind": "coolify", "branch": "x"}, "fault-branch"),
        ({"kind": "github", "env": "x" * 101}, "fault-env"),
        ({"kind": "github", "service": "a\x00b"}, "fault-service"),
    ],
)
def test_faults_are_told_beside_the_field(
    server: Server, fields: dict[str, str], fault: str
) -> None:
    answer = server.sign_in().post(PAGE, data=fields)
    assert answer.status_code == 400
    assert parse_html(answer.text).one(f"#{fault}").text
    assert server.rows("select * from receivers") == []


def test_only_an_admin_sees_and_makes_them(server: Server) -> None:
    hook = make_hook(server, "github")
    for role in ("viewer", "member"):
        browser = server.sign_in(role)
        page = page_of(browser)
        assert page.select("#receivers") == page.select("#new-receiver") == []
        assert browser.post(PAGE, data={"kind": "github"}).status_code == 403
        assert browser.post(f"{PAGE}/{hook.id}/revoke").status_code == 403
    assert server.rows("select count(*) as n from receivers where revoked_at is null") == [{"n": 1}]


def test_another_projects_receiver_is_not_found(server: Server) -> None:
    from tests import factories

    server.run(factories.insert_project(server.running.context, "other"))
    hook = make_hook(server, "github", project="other")
    browser = server.sign_in()
    for wrong in (hook.id, "x", 5):
        assert browser.post(f"{PAGE}/{wrong}/revoke").status_code == 404
    assert server.rows("select revoked_at from receivers") == [{"revoked_at": None}]


def test_what_a_sender_wrote_does_not_run(server: Server) -> None:
    hook = make_hook(server, "github", workflows=("test.yml",))
    sent = recorded("github/workflow_run.completed", workflow_run__name=HOSTILE_MARKUP,
                    workflow_run__path="other.yml")  # fmt: skip
    assert hook.send(sent, "workflow_run").status_code == 200
    page = page_of(server.sign_in())
    for tag in ("script", "img", "svg"):
        assert page.select(f"#receivers {tag}") == []
    assert "was not chosen" in page.one("#receivers").text


def test_deploys_that_are_left_out_are_marked(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}"}
    hook = make_hook(server, "github")
    body = {"git_sha": "c0ffee1", "timestamp": "2019-05-15T00:00:00Z"}
    assert server.http.post("/ingest/deploys", json=body, headers=headers).status_code == 202
    answer = hook.send(recorded("github/deployment_status.success"), "deployment_status")
    browser = server.sign_in()
    timeline = parse_html(browser.get("/p/default/deploys").text)
    left_out = timeline.one("tr.observed")
    assert left_out["id"] == f"d{answer.json()['deploy_id']}"
    assert "only from GitHub, in no number" in left_out.text
    page = parse_html(browser.get(answer.headers["location"]).text)
    assert "Only GitHub told of it" in page.one("#left-out").text
    assert page.one("#left-out code").text == "delivery.github_beside_api"
    [first] = [r for r in server.rows("select id, sources from deploys") if r["sources"] == "api"]
    page = parse_html(browser.get(f"/p/default/deploys/{first['id']}").text)
    assert page.select("#left-out") == []
    # nothing went live after it that counts
    assert page.select("a[rel=next]") == []
    read = {"Authorization": f"Bearer {server.make_key('read')}"}
    items = server.http.get("/api/v1/deploys", headers=read).json()["items"]
    assert [(item["sources"], item["is_left_out"]) for item in items] == [
        (["github"], True), (["api"], False),
    ]  # fmt: skip
    one = server.http.get(f"/api/v1/deploys/{items[0]['id']}", headers=read).json()
    assert one["is_left_out"]
