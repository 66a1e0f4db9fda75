"""The deploy page: what it tells, and edit, hide, restore and undo through its own forms."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import MINUTE, SECOND, to_rfc3339
from miniapm.domain.deploys.repositories import read_repository
from miniapm.domain.deploys.values import Commit
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.deploy_rows import add_deploy
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html

PAGE = "/p/default/deploys"
FULL: dict[str, Any] = {
    "git_sha": "b" * 40,
    "version": "v2",
    "deployer": "ana",
    "title": "Faster checkout",
    "description": "Line one\nLine two",
    "tags": ("hotfix", "a&b"),
    "url": "https://ci.example.com/runs/7",
    "repository": "git@github.com:acme/shop.git",
    "external_id": "run-7",
    "sources": ("api", "github"),
}


def show(browser: httpx2.Client, deploy_id: int, query: str = "") -> Element:
    answer = browser.get(f"{PAGE}/{deploy_id}{query}")
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def fields(page: Element) -> dict[str, str]:
    """The labels and what stands beside them."""
    names = [name.text for name in page.select("dl.fields dt")]
    values = [value.text for value in page.select("dl.fields dd")]
    return dict(zip(names, values, strict=True))


def filled_form(page: Element) -> dict[str, str]:
    """The edit form as a browser would send it untouched."""
    form = page.one("details.edit form")
    sent = {field["name"]: field["value"] for field in form.select("input")}
    # a browser drops the line end that follows <textarea>, and sends CRLF for the others
    for area in form.select("textarea"):
        sent[area["name"]] = area.raw_text.removeprefix("\n").replace("\n", "\r\n")
    for menu in form.select("select"):
        [chosen] = [o for o in menu.select("option") if "selected" in o.attributes]
        sent[menu["name"]] = chosen["value"]
    return sent


def stored(server: Server, deploy_id: int) -> dict[str, Any]:
    [row] = server.rows("select * from deploys where id = :id", id=deploy_id)
    return row


def test_it_tells_every_field(server: Server) -> None:
    deploy = add_deploy(server, started_at=START - MINUTE, deployed_at=START, **FULL)
    page = show(server.sign_in(), deploy.id)
    assert page.one("h1").text == "v2"
    assert page.one("p.title").text == "Faster checkout"
    assert page.one("div.description").raw_text == "Line one\nLine two"
    assert "took 1 min" in page.one("p.facts").text
    assert page.one("p.facts span.st").text == "succeeded"
    assert page.one("p.lead").text == "First. Nothing was live in production before."
    told = fields(page)
    assert told["Commit"] == "b" * 40
    assert told["Tags"] == "hotfix a&b"
    assert told["Repository"] == "acme/shop"
    assert told["Reported by"] == "API, GitHub"
    assert told["Sender's id"] == "run-7"
    assert told["Id"] == str(deploy.id)
    links = [link["href"] for link in page.select("dl.fields a")]
    assert "https://github.com/acme/shop/commit/" + "b" * 40 in links
    assert "https://ci.example.com/runs/7" in links
    assert f"{PAGE}?tag=a%26b" in links


def test_the_key_that_reported_it_is_named(server: Server) -> None:
    key = server.make_key()
    server.http.post(
        "/ingest/deploys", json={"git_sha": "c" * 40}, headers={"Authorization": f"Bearer {key}"}
    )
    [deploy] = server.rows("select id from deploys")
    [named] = server.rows("select name from keys")
    told = fields(show(server.sign_in(), deploy["id"]))
    assert told["Reported by"] == f"API, with the key {named['name']}"


def test_a_version_that_is_the_sha_is_not_told_twice(server: Server) -> None:
    deploy = add_deploy(server, git_sha="d" * 40, version="d" * 40)
    page = show(server.sign_in(), deploy.id)
    assert page.one("h1").text == "d" * 7
    assert fields(page)["Version"] == "d" * 40


def test_what_is_not_known_has_no_label(server: Server) -> None:
    deploy = add_deploy(server)
    assert set(fields(show(server.sign_in(), deploy.id))) == {
        "Commit", "Environment", "Service", "Deploy time", "Recorded", "Reported by", "Id",
    }  # fmt: skip


def test_neighbours_are_the_live_ones_of_the_same_service_and_env(server: Server) -> None:
    first = add_deploy(server, version="v1", git_sha="a" * 40)
    add_deploy(server, version="v1-failed", status="failed")
    add_deploy(server, version="v1-other", env="staging")
    middle = add_deploy(server, version="v2", git_sha="b" * 40, repository="https://gitlab.com/a/b")
    add_deploy(server, version="v2-hidden", hidden_at=START)
    last = add_deploy(server, version="v3")
    page = show(server.sign_in(), middle.id, "?env=production")
    before, after = page.one('nav.around a[rel="prev"]'), page.one('nav.around a[rel="next"]')
    assert before.one("b").text == "v1"
    assert before["href"] == f"{PAGE}/{first.id}?env=production"
    assert (after.one("b").text, after["href"]) == ("v3", f"{PAGE}/{last.id}?env=production")
    compare = f"https://gitlab.com/a/b/-/compare/{'a' * 40}...{'b' * 40}"
    assert compare in [link["href"] for link in page.select("dl.fields a")]
    assert "Nothing yet" in show(server.sign_in(), last.id).one("nav.around").text


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("succeeded", "v2 replaces v1."),
        ("started", "v2 is to replace v1."),
        ("failed", "v2 was to replace v1."),
    ],
)
def test_the_sentence_does_not_say_more_than_happened(
    server: Server, status: str, sentence: str
) -> None:
    add_deploy(server, version="v1")
    deploy = add_deploy(server, version="v2", status=status)
    assert show(server.sign_in(), deploy.id).one("p.lead").text == sentence


def test_commits_are_linked_where_the_repository_is_known(server: Server) -> None:
    commits = (
        Commit("c" * 40, START, "Fix it\n\nBecause", "Ana"),
        Commit("d" * 40),
    )
    deploy = add_deploy(server, commits=commits, repository="https://github.com/acme/shop.git")
    rows = show(server.sign_in(), deploy.id).select("table.commits tbody tr")
    assert [cell.text for cell in rows[0].select("td")][:3] == ["ccccccc", "Fix it", "Ana"]
    assert rows[0].one("a")["href"] == "https://github.com/acme/shop/commit/" + "c" * 40
    assert rows[1].select("time") == []
    bare = add_deploy(server, commits=commits)
    assert show(server.sign_in(), bare.id).select("table.commits a") == []


@pytest.mark.parametrize("bad", ["0", "-1", "abc", "99999999999999999999", "1e3", "%00", "%D9%A1"])
def test_an_id_that_cannot_be_is_not_found(server: Server, bad: str) -> None:
    answer = server.sign_in().get(f"{PAGE}/{bad}")
    assert answer.status_code == 404
    assert "hidden ones can be restored" in parse_html(answer.text).one("article.trouble").text
    assert server.sign_in().post(f"{PAGE}/{bad}/hide").status_code == 404


def test_another_projects_deploy_is_not_found(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    theirs = add_deploy(server, project="other")
    admin = server.sign_in()
    answer = admin.get(f"{PAGE}/{theirs.id}")
    assert answer.status_code == 404
    assert "hidden ones can be restored" in parse_html(answer.text).one("article.trouble").text
    for action in ("edit", "hide", "restore", "undo"):
        answer = admin.post(f"{PAGE}/{theirs.id}/{action}", data={"change": "1", "version": "x"})
        assert answer.status_code == 404
    assert stored(server, theirs.id)["hidden_at"] is None


def test_an_untouched_form_changes_nothing(server: Server) -> None:
    deploy = add_deploy(server, started_at=START, **FULL)
    member = server.sign_in("member")
    member.cookies.set("tz", "Europe/Berlin")
    form = filled_form(show(member, deploy.id))
    answer = member.post(f"{PAGE}/{deploy.id}/edit", data=form)
    assert answer.status_code == 303
    assert parse_html(member.get(answer.headers["location"]).text).one("div.notice").text == (
        "Nothing was different."
    )
    assert server.rows("select * from deploy_changes") == []


def test_an_edit_is_saved_told_and_undone(server: Server) -> None:
    deploy = add_deploy(server, **FULL)
    server.clock.move(MINUTE)
    member = server.sign_in("member")
    form = filled_form(show(member, deploy.id))
    form |= {"version": "v2.1", "tags": "hotfix, late", "description": "One\r\nTwo", "deployer": ""}
    form["timestamp"] = "2025-10-09T10:00:00+02:00"
    answer = member.post(f"{PAGE}/{deploy.id}/edit?env=production", data=form)
    assert answer.status_code == 303
    row = stored(server, deploy.id)
    assert (row["version"], row["description"], row["deployer"]) == ("v2.1", "One\nTwo", None)
    assert row["deployed_at"] == 1_759_996_800 * SECOND
    tags = [r["tag"] for r in server.rows("select tag from deploy_tags order by position")]
    assert tags == ["hotfix", "late"]
    assert answer.headers["location"].startswith(f"{PAGE}/{deploy.id}?env=production&changed=")
    page = parse_html(member.get(answer.headers["location"]).text)
    notice = page.one("div.notice")
    assert notice.text == "Saved. Undo"
    assert "Version v2 v2.1" in page.one("ul.changes").text
    change = notice.one('input[name="change"]')["value"]
    undone = member.post(notice.one("form")["action"], data={"change": change})
    assert undone.status_code == 303
    row = stored(server, deploy.id)
    assert (row["version"], row["deployer"], row["deployed_at"]) == (
        "v2",
        "ana",
        deploy.deployed_at,
    )
    page = parse_html(member.get(undone.headers["location"]).text)
    assert page.one("div.notice").text == "Undone. Undo"
    assert len(page.select("ul.changes li")) == 2


def test_mistakes_stand_beside_their_fields_and_nothing_is_stored(server: Server) -> None:
    deploy = add_deploy(server, **FULL)
    member = server.sign_in("member")
    form = filled_form(show(member, deploy.id))
    form |= {"git_sha": "", "timestamp": "yesterday", "url": "javascript:alert(1)", "title": "New"}
    answer = member.post(f"{PAGE}/{deploy.id}/edit", data=form)
    assert answer.status_code == 400
    page = parse_html(answer.text)
    assert "open" in page.one("details.edit").attributes
    # its address takes forms alone: it must not be fetched again when something changes
    assert page.select("[data-events]") == []
    wrong = {field.one("label")["for"] for field in page.select("div.wrong")}
    assert wrong == {"f-git_sha", "f-timestamp", "f-url"}
    assert "cannot be empty" in page.one("#fault-git_sha").text
    entered = page.one("input#f-timestamp")
    assert (entered["value"], entered["aria-invalid"]) == ("yesterday", "true")
    assert "fault-timestamp" in entered["aria-describedby"].split()
    assert page.one("input#f-title")["value"] == "New"
    assert page.one("input#f-url")["value"] == "javascript:alert(1)"
    assert stored(server, deploy.id)["title"] == "Faster checkout"


def test_an_edit_over_somebody_elses_is_not_saved_unseen(server: Server) -> None:
    deploy = add_deploy(server, **FULL)
    server.clock.move(MINUTE)
    one, other = server.sign_in("member"), server.sign_in("member")
    first, second = filled_form(show(one, deploy.id)), filled_form(show(other, deploy.id))
    edit = f"{PAGE}/{deploy.id}/edit"
    assert one.post(edit, data=first | {"title": "Mine"}).status_code == 303
    answer = other.post(edit, data=second | {"deployer": "Jo"})
    assert answer.status_code == 409
    row = stored(server, deploy.id)
    assert (row["title"], row["deployer"]) == ("Mine", "ana")
    again = filled_form(parse_html(answer.text))
    assert (again["deployer"], again["title"]) == ("Jo", "Faster checkout")
    assert other.post(edit, data=again).status_code == 303
    assert stored(server, deploy.id)["deployer"] == "Jo"


def test_a_time_out_stays_what_it_is_when_something_else_is_edited(server: Server) -> None:
    deploy = add_deploy(server, status="timed_out")
    member = server.sign_in("member")
    form = filled_form(show(member, deploy.id))
    assert form["status"] == "timed_out"
    assert member.post(f"{PAGE}/{deploy.id}/edit", data=form | {"title": "t"}).status_code == 303
    assert (stored(server, deploy.id)["status"], stored(server, deploy.id)["title"]) == (
        "timed_out",
        "t",
    )


def test_hiding_is_told_and_undone(server: Server) -> None:
    deploy = add_deploy(server)
    member = server.sign_in("member")
    answer = member.post(f"{PAGE}/{deploy.id}/hide")
    assert answer.status_code == 303
    assert stored(server, deploy.id)["hidden_at"] == server.clock()
    page = parse_html(member.get(answer.headers["location"]).text)
    done, state = page.select("div.notice")
    assert done.text == "Hidden. Undo"
    assert state.text.startswith("Hidden since")
    assert f"{PAGE}/{deploy.id}/hide" not in [form["action"] for form in page.select("form")]
    change = done.one('input[name="change"]')["value"]
    assert member.post(done.one("form")["action"], data={"change": change}).status_code == 303
    assert stored(server, deploy.id)["hidden_at"] is None
    member.post(f"{PAGE}/{deploy.id}/hide")
    restored = member.post(f"{PAGE}/{deploy.id}/restore")
    assert stored(server, deploy.id)["hidden_at"] is None
    page = parse_html(member.get(restored.headers["location"]).text)
    assert page.one("div.notice").text == "Restored. Undo"


@pytest.mark.parametrize("change", ["", "abc", "1", "99999999999999999999"])
def test_a_change_nobody_made_cannot_be_undone(server: Server, change: str) -> None:
    deploy = add_deploy(server)
    answer = server.sign_in().post(f"{PAGE}/{deploy.id}/undo", data={"change": change})
    assert answer.status_code == 404


def test_viewers_see_no_controls_and_may_not_use_them(server: Server) -> None:
    deploy = add_deploy(server, version="v1")
    server.sign_in("member").post(f"{PAGE}/{deploy.id}/edit", data={"version": "v2"})
    [change] = server.rows("select id from deploy_changes")
    viewer = server.sign_in("viewer")
    page = show(viewer, deploy.id, f"?changed={change['id']}")
    assert page.select("main form") == []
    assert page.one("ul.changes").text.endswith("Saved. Version v1 v2")
    for action in ("edit", "hide", "restore", "undo"):
        answer = viewer.post(f"{PAGE}/{deploy.id}/{action}", data={"change": str(change["id"])})
        assert answer.status_code == 403
    assert stored(server, deploy.id)["version"] == "v2"


def test_another_site_may_not_hide(server: Server) -> None:
    deploy = add_deploy(server)
    answer = server.sign_in().post(
        f"{PAGE}/{deploy.id}/hide", headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert stored(server, deploy.id)["hidden_at"] is None


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join([b"a=b"] * 300)])
def test_what_is_no_form_is_refused(server: Server, body: bytes) -> None:
    deploy = add_deploy(server)
    answer = server.sign_in().post(f"{PAGE}/{deploy.id}/edit", content=body)
    assert answer.status_code == 400
    assert (
        server.sign_in().post(f"{PAGE}/{deploy.id}/edit", content=b"a" * 200_000).status_code == 413
    )


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_nothing_a_sender_writes_becomes_markup(server: Server, text: str) -> None:
    add_deploy(server, version=text, service=text[:100], env=text[:100])
    deploy = add_deploy(
        server,
        version=text,
        git_sha=text,
        env=text[:100],
        service=text[:100],
        deployer=text,
        title=text,
        description=text,
        tags=(text,),
        url=text,
        repository=text,
        external_id=text,
        commits=(Commit(text, START, text, text),),
    )
    member = server.sign_in("member")
    member.post(f"{PAGE}/{deploy.id}/edit", data={"title": text + "!"})
    page = show(member, deploy.id)
    assert page.one("h1").raw_text == text
    assert page.one("div.description").raw_text == text
    assert page.one("input#f-deployer")["value"] == text
    assert page.one("textarea").raw_text.strip() == text
    assert [script["src"][:8] for script in page.select("script")] == ["/static/"]
    assert page.select("style") == []
    assert page.select("img") == []
    for element in page.walk():
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("href", "src", "action"):
            assert element.attributes.get(name, "/").startswith(("/", "#", "https://"))


@pytest.mark.parametrize(
    ("address", "page", "forge"),
    [
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop", "github"),
        ("https://github.com/acme/shop", "https://github.com/acme/shop", "github"),
        ("https://gitlab.example.com:80/a/b.git", "https://gitlab.example.com:80/a/b", "gitlab"),
        ("https://git.example.com/a/b", "https://git.example.com/a/b", None),
        ("https://github.com/", "https://github.com/", None),
        ('git@github.com:a/"><b', "https://github.com/a/%22%3E%3Cb", "github"),
    ],
)  # fmt: skip
def test_a_repository_is_read_from_its_address(address: str, page: str, forge: str | None) -> None:
    repository = read_repository(address)
    assert repository is not None
    assert (repository.page, repository.forge) == (page, forge)


@pytest.mark.parametrize(
    "address", [None, "", "javascript:alert(1)//x://", "shop", "ftp://a/b", "http://[::1"]
)
def test_what_is_no_repository_has_no_page(address: str | None) -> None:
    found = read_repository(address)
    assert found is None or found.page.startswith("https://")


def test_shas_are_quoted_in_links() -> None:
    repository = read_repository("https://github.com/a/b")
    assert repository is not None
    assert repository.commit_link("../x?y") == "https://github.com/a/b/commit/..%2Fx%3Fy"
    assert repository.compare_link("a", "a") is None


def post_error(server: Server, name: str, at: int, **fields: object) -> None:
    answer = server.http.post(
        "/ingest/errors",
        json={"exception_class": name, "message": "m", "timestamp": to_rfc3339(at), **fields},
        headers={"authorization": f"Bearer {server.make_key(service='shop')}"},
    )
    assert answer.status_code == 202, answer.text


def test_new_errors_are_those_until_the_next_live_deploy(server: Server) -> None:
    first = add_deploy(server, deployed_at=START - 60 * MINUTE)
    add_deploy(server, deployed_at=START - 40 * MINUTE, status="failed")
    second = add_deploy(server, deployed_at=START - 30 * MINUTE)
    third = add_deploy(server, deployed_at=START - 10 * MINUTE)
    post_error(server, "Old", START - 90 * MINUTE)
    post_error(server, "Old", START - 20 * MINUTE)
    post_error(server, "New", START - 20 * MINUTE)
    post_error(server, "Latest", START)
    post_error(server, "Elsewhere", START, env="staging")
    browser = server.sign_in()

    def new(deploy_id: int) -> list[str]:
        section = show(browser, deploy_id).one("section.new-errors")
        return [link.text for link in section.select("li a")] or [section.one("p").text]

    assert new(first.id) == ["No new errors."]
    assert new(second.id) == ["New"]
    assert new(third.id) == ["Latest"]
    section = show(browser, second.id).one("section.new-errors")
    [group] = server.rows("select id from error_groups where exception_class = 'New'")
    assert section.one("li a")["href"] == f"/p/default/errors/{group['id']}"
    assert section.one("h2 .count").text == "1"


def test_without_telemetry_or_live_there_is_no_word_of_errors(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - MINUTE)
    browser = server.sign_in()
    assert show(browser, deploy.id).select("section.new-errors") == []
    post_error(server, "New", START)
    failed = add_deploy(server, deployed_at=START - MINUTE, status="failed")
    assert show(browser, failed.id).select("section.new-errors") == []


def test_of_many_new_errors_ten_are_shown(server: Server) -> None:
    deploy = add_deploy(server, deployed_at=START - MINUTE)
    for n in range(12):
        post_error(server, f"E{n}", START)
    section = show(server.sign_in(), deploy.id).one("section.new-errors")
    assert len(section.select("li")) == 10
    assert section.one("h2 .count").text == "12"
    more = section.select("p a")[-1]
    assert more.text == "2 more"
    listed = parse_html(server.sign_in().get(more["href"]).text)
    assert len(listed.select("table.errors tbody tr")) == 12
