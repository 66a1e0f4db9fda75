"""The start page: to the only project, or the list."""

import pytest

from tests import factories
from tests.conftest import Server
from tests.web.hostile import HOSTILE_MARKUP
from tests.web.markup import parse_html


def test_the_start_leads_to_the_only_project(server: Server) -> None:
    for role in ("admin", "member", "viewer"):
        answer = server.sign_in(role).get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/p/default/")


def test_the_start_lists_the_projects_that_a_person_sees(server: Server) -> None:
    for slug in ("alpha", "beta", "gamma"):
        server.run(factories.insert_project(server.running.context, slug))

    def listed(role: str, *projects: str) -> list[str]:
        page = parse_html(server.sign_in(role, projects).get("/").text)
        return [link["href"] for link in page.select("main ul.projects a")]

    assert listed("admin") == [f"/p/{s}/" for s in ("alpha", "beta", "default", "gamma")]
    assert listed("member", "gamma", "alpha") == ["/p/alpha/", "/p/gamma/"]
    only = server.sign_in("viewer", ("beta",)).get("/?env=production&x=y")
    assert only.headers["location"] == "/p/beta/?env=production"


def test_a_person_without_a_project_is_told_whom_to_ask(server: Server) -> None:
    answer = server.sign_in("member", ()).get("/")
    page = parse_html(answer.text)
    assert answer.status_code == 200
    assert "no project is shared with you yet" in page.one("main").text
    assert page.select("main form") == []


def test_the_start_of_a_project_leads_to_its_overview(server: Server) -> None:
    browser = server.sign_in("viewer")
    answer = browser.get("/p/default?service=web&unknown=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/default/?service=web")
    assert browser.get("/p/default/?service=web").status_code == 200
    assert browser.get("/p/other/").status_code == 404
    assert server.http.get("/p/default/").headers["location"].startswith("/login?next=")


def test_where_nothing_is_people_find_their_way_back(server: Server) -> None:
    def links(path: str, *projects: str) -> set[str]:
        answer = server.sign_in("viewer", projects).get(path)
        assert answer.status_code == 404
        return {link["href"] for link in parse_html(answer.text).select(".bar a")}

    both = {"/p/default/deploys", "/p/default/settings", "/account"}
    assert links("/p/default/nothing", "default") >= both
    assert links("/nothing", "default") >= {"/account"}
    # another's project looks like none
    assert links("/p/default/nothing") == links("/p/none/nothing") == {"/", "/account"}
    stranger = parse_html(server.http.get("/p/default/nothing").text)
    assert [link["href"] for link in stranger.select(".bar a")] == ["/"]


def test_an_admin_makes_a_project(server: Server) -> None:
    browser = server.sign_in()
    page = parse_html(browser.get("/projects").text)
    assert page.one("form[action=/projects] input")["name"] == "name"
    answer = browser.post("/projects", data={"name": "  Web Shop "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/web-shop/settings")
    [row] = server.rows("select id, slug, name from projects where slug <> 'default'")
    assert (row["slug"], row["name"]) == ("web-shop", "Web Shop")
    [entry] = server.rows("select action, subject, project_id, actor from audit")
    assert (entry["action"], entry["subject"]) == ("project.create", "web-shop")
    assert entry["project_id"] == row["id"]
    assert entry["actor"].startswith("admin-")
    assert browser.get("/p/web-shop/settings").status_code == 200


@pytest.mark.parametrize(
    ("name", "status"), [("", 400), ("!!!", 400), ("x" * 101, 400), ("a\nb", 400), ("default", 409)]
)
def test_a_bad_name_makes_no_project(server: Server, name: str, status: int) -> None:
    answer = server.sign_in().post("/projects", data={"name": name})
    page = parse_html(answer.text)
    assert answer.status_code == status
    assert page.one("#fault-name").text
    assert page.one("input[name=name]")["value"] == name
    assert [row["slug"] for row in server.rows("select slug from projects")] == ["default"]


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_only_admins_make_projects(server: Server, role: str) -> None:
    browser = server.sign_in(role)
    assert parse_html(browser.get("/projects").text).select("main form") == []
    assert browser.post("/projects", data={"name": "mine"}).status_code == 403
    assert len(server.rows("select * from projects")) == 1


def test_a_hostile_name_is_text(server: Server) -> None:
    browser = server.sign_in()
    hostile = HOSTILE_MARKUP + "x"
    assert browser.post("/projects", data={"name": hostile}).status_code == 303
    page = parse_html(browser.get("/projects").text)
    assert hostile in [link.text for link in page.select("main ul.projects a")]
    assert page.select("main script") == page.select("main img") == []
    slug = server.rows("select slug from projects where slug <> 'default'")[0]["slug"]
    settings = parse_html(browser.get(f"/p/{slug}/settings").text)
    assert settings.one("h1").text == f"Settings of {hostile}"
    assert settings.select("main script") == settings.select("main img") == []
