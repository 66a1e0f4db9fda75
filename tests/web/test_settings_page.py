"""Settings: keys made, shown once, rotated and revoked; refused calls; who changed what."""

from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR
from miniapm.domain.keys import DEFAULT_SCOPES, SCOPES, looks_like_key
from miniapm.storage.audit import Act, AuditEntry, insert_entry, note
from miniapm.storage.refusals import Refusal, insert_refusal
from miniapm.web.snippets import write_telemetry_setup
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.hostile import HOSTILE_MARKUP
from tests.web.markup import Element, parse_html
from tests.web.people import add_user

KEYS = "/p/default/settings/keys"


def settings_of(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(f"/p/default/settings{query}")
    assert answer.status_code == 200
    return parse_html(answer.text)


def make_key(browser: httpx2.Client, **fields: Any) -> httpx2.Response:
    form = {"name": "ci", "scope": list(DEFAULT_SCOPES), "expires": "never", **fields}
    return browser.post(KEYS, data=form)


def secret_of(answer: httpx2.Response) -> str:
    assert answer.status_code == 200
    return parse_html(answer.text).one("code#secret").text


def deploy(server: Server, secret: str, **fields: object) -> int:
    return server.http.post(
        "/ingest/deploys",
        json={"git_sha": "abc1234", **fields},
        headers={"Authorization": f"Bearer {secret}"},
    ).status_code


def test_a_new_key_is_shown_once_and_works(server: Server) -> None:
    browser = server.sign_in()
    form = settings_of(browser).one("form#new-key")
    checked = [box["value"] for box in form.select("input[type=checkbox][checked]")]
    assert checked == list(DEFAULT_SCOPES)
    answer = browser.post(form["action"], data={"name": "ci", "scope": checked, "expires": "90d"})
    secret = secret_of(answer)
    assert looks_like_key(secret)
    assert answer.headers["cache-control"] == "no-store"
    assert deploy(server, secret) == 202
    [row] = server.rows("select * from keys")
    assert (row["name"], row["display"]) == ("ci", secret[:8])
    assert row["scopes"] == " ".join(DEFAULT_SCOPES)
    assert row["expires_at"] == server.clock() + 90 * DAY
    page = browser.get("/p/default/settings")
    assert secret not in page.text
    assert secret[:8] in page.text
    assert secret not in str(server.rows("select * from keys") + server.rows("select * from audit"))
    [entry] = server.rows("select action, subject, project_id from audit")
    assert (entry["action"], entry["subject"]) == ("key.create", "ci")


def test_the_page_of_a_new_key_has_it_in_every_snippet(server: Server) -> None:
    answer = make_key(server.sign_in())
    page = parse_html(answer.text)
    secret = page.one("code#secret").text
    parts = page.select(".snippets details")
    assert len(parts) == 9
    for part in parts:
        assert secret in part.text
        assert server.url in part.text
        assert "proj_YOUR_KEY" not in part.text
        assert "miniapm.example" not in part.text
    # whoever follows a link from there takes no secret along
    assert [a["href"] for a in page.select("a") if secret in a["href"]] == []


def test_telemetry_is_set_up_for_the_project_or_for_the_key(server: Server) -> None:
    browser = server.sign_in()
    section = settings_of(browser).one("section#send-telemetry")
    assert section.one("pre code").raw_text == write_telemetry_setup(server.url, "default")
    assert "opentelemetry-instrument" in section.text
    answer = make_key(browser, env="staging", service="worker")
    secret = secret_of(answer)
    [setup] = [
        code.raw_text
        for code in parse_html(answer.text).select("pre.command code")
        if "OTEL_" in code.raw_text
    ]
    expected = write_telemetry_setup(server.url, "worker", "staging")
    assert setup == f"export MINIAPM_API_KEY={secret}\n{expected}"
    assert "deployment.environment.name=staging," in setup
    assert "OTEL_" not in make_key(browser, scope=["read"]).text


def test_a_key_stands_for_an_environment_and_a_service(server: Server) -> None:
    answer = make_key(server.sign_in(), env=" staging ", service="worker")
    assert deploy(server, secret_of(answer)) == 202
    [row] = server.rows("select env, service from deploys")
    assert (row["env"], row["service"]) == ("staging", "worker")


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"scope": []}, "scope"),
        ({"scope": ["everything"]}, "scope"),
        ({"env": "x" * 101}, "env"),
        ({"service": "a\tb"}, "service"),
        ({"expires": "tomorrow"}, "expires"),
    ],
)
def test_a_fault_stands_beside_its_field(
    server: Server, fields: dict[str, Any], fault: str
) -> None:
    answer = make_key(server.sign_in(), **{"name": "ci", "env": "staging", **fields})
    page = parse_html(answer.text)
    assert answer.status_code == 400
    assert [p["id"] for p in page.select("form p.fault")] == [f"fault-{fault}"]
    assert page.one(f"[aria-describedby=fault-{fault}]")["aria-invalid"] == "true"
    assert page.one("input[name=name]")["value"] == fields.get("name", "ci")
    assert page.one("input[name=env]")["value"] == fields.get("env", "staging")
    assert server.rows("select * from keys") == []


def key_id(server: Server) -> int:
    [row] = server.rows("select id from keys order by id limit 1")
    return int(row["id"])


def test_a_revoked_key_is_refused_at_once(server: Server) -> None:
    browser = server.sign_in()
    secret = server.make_key()
    assert deploy(server, secret) == 202
    form = settings_of(browser).one(
        "form[action^=/p/][action=" + f"{KEYS}/{key_id(server)}/revoke]"
    )
    answer = browser.post(form["action"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/default/settings#keys")
    assert deploy(server, secret) == 403
    page = settings_of(browser)
    assert "No key works at present" in page.one("#keys").text
    assert page.select("form[action^=/p/default/settings/keys/]") == []
    assert "revoked" in page.one("#keys table.keys tbody").text


@pytest.mark.parametrize(
    ("overlap", "length"), [("0", 0), ("1h", HOUR), ("24h", DAY), ("7d", 7 * DAY)]
)
def test_a_rotated_key_works_until_the_overlap_ends(
    server: Server, overlap: str, length: int
) -> None:
    browser = server.sign_in()
    old = server.make_key("deploys:write", "read", env="staging")
    answer = browser.post(f"{KEYS}/{key_id(server)}/rotate", data={"overlap": overlap})
    new = secret_of(answer)
    assert answer.headers["cache-control"] == "no-store"
    rows = server.rows("select scopes, env, revoked_at, name from keys order by id")
    assert [row["revoked_at"] for row in rows] == [START + length, None]
    assert rows[1]["scopes"] == rows[0]["scopes"] == "deploys:write read"
    assert rows[1]["env"] == "staging"
    assert deploy(server, new) == 202
    if length:
        server.clock.move(length - 1)
        assert deploy(server, old) == 202
        server.clock.move(1)
    assert deploy(server, old) == 403
    assert deploy(server, new) == 202


def test_a_key_that_has_ended_is_not_rotated(server: Server) -> None:
    browser = server.sign_in()
    server.make_key(expires_at=START + HOUR)
    server.clock.move(HOUR)
    answer = browser.post(f"{KEYS}/{key_id(server)}/rotate", data={"overlap": "0"})
    assert answer.status_code == 409
    assert len(server.rows("select * from keys")) == 1


def test_an_overlap_that_is_not_offered_is_refused(server: Server) -> None:
    browser = server.sign_in()
    server.make_key()
    for data in ({}, {"overlap": "90d"}, {"overlap": "-1h"}):
        assert browser.post(f"{KEYS}/{key_id(server)}/rotate", data=data).status_code == 400
    assert len(server.rows("select * from keys")) == 1


def test_another_projects_key_is_not_there(server: Server) -> None:
    browser = server.sign_in()
    server.run(factories.insert_project(server.running.context, "other"))
    server.make_key(project="other")
    for number in (str(key_id(server)), "0", "x", "9" * 30, "-1"):
        for act in ("revoke", "rotate"):
            answer = browser.post(f"{KEYS}/{number}/{act}", data={"overlap": "0"})
            assert answer.status_code == 404
    assert len(server.rows("select * from keys where revoked_at is null")) == 1


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_members_and_viewers_look_but_change_nothing(server: Server, role: str) -> None:
    browser = server.sign_in(role)
    secret = server.make_key(name="github")
    page = settings_of(browser)
    assert [cell.text for cell in page.select("#keys th[scope=row]")] == ["github"]
    assert page.select("main form") == []
    assert page.select("#people") == []
    base = f"{KEYS}/{key_id(server)}"
    for path in (KEYS, f"{base}/revoke", f"{base}/rotate"):
        answer = browser.post(path, data={"name": "mine", "scope": "read", "overlap": "0"})
        assert answer.status_code == 403
    assert len(server.rows("select * from keys")) == 1
    assert deploy(server, secret) == 202


def test_a_key_opens_no_settings(server: Server) -> None:
    secret = server.make_key(*SCOPES)
    answer = server.http.post(
        KEYS, data={"name": "x", "scope": "read"}, headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.headers["location"] == "/login"
    assert len(server.rows("select * from keys")) == 1


def test_the_list_tells_when_a_key_was_used_and_when_it_ends(server: Server) -> None:
    browser = server.sign_in()
    secret = server.make_key(name="used", expires_at=START + 30 * DAY)
    server.make_key(name="unused")
    deploy(server, secret)
    server.run(server.running.context.keyring.write_last_used())
    rows = {row.one("th").text: row for row in settings_of(browser).select("#keys tbody tr")}
    assert len(rows["used"].select("time")) == 3
    assert [t["datetime"] for t in rows["unused"].select("time")] == ["2025-10-09T08:53:20Z"]


# what was refused


def refuse(server: Server, *, body: bytes = b"{}", project_id: int | None = None) -> None:
    context = server.running.context
    found = server.rows("select id from projects where slug = 'default'")[0]["id"]
    refusal = Refusal(
        id=context.make_id(),
        project_id=found if project_id is None else project_id,
        route="/ingest/deploys",
        key_id=None,
        status=400,
        message="The body is not right: " + HOSTILE_MARKUP,
        fields={HOSTILE_MARKUP: "is unknown"},
        body=body,
        refused_at=context.clock(),
    )
    server.run(context.database.write(insert_refusal, refusal))


def test_a_refused_call_is_shown(server: Server) -> None:
    browser = server.sign_in("viewer")
    secret = server.make_key(name="github")
    assert deploy(server, secret, version=7, env="${{ env }}") == 400
    # the refusal is written after the answer: a write of ours waits behind it
    server.make_key(name="later")
    row = settings_of(browser).one("#refused tbody tr")
    cells = [cell.text for cell in row.select("td")]
    assert cells[1:4] == ["400", "/ingest/deploys", "github"]
    assert [code.text for code in row.select("li code")] == ["version", "env"]
    assert '"env":"${{ env }}"' in row.one("details pre").text.replace(": ", ":")
    assert secret not in row.text


def test_only_admins_see_the_calls_with_unknown_keys(server: Server) -> None:
    assert deploy(server, "proj_nobody") == 401
    server.make_key()
    assert len(settings_of(server.sign_in()).select("#refused tbody tr")) == 1
    assert settings_of(server.sign_in("member")).select("#refused tbody tr") == []


def test_a_hostile_body_is_text(server: Server) -> None:
    browser = server.sign_in()
    refuse(server, body=HOSTILE_MARKUP.encode() + b"\x00\x1b[31m\xff\xe2\x80\xae</pre></details>")
    page = settings_of(browser)
    assert page.select("main script") == page.select("main img") == []
    shown = page.one("#refused pre").raw_text
    assert shown.startswith(HOSTILE_MARKUP)
    assert shown.endswith("\ufffd\ufffd[31m\ufffd\ufffd</pre></details>")


def test_a_long_list_is_short_at_first(server: Server) -> None:
    browser = server.sign_in()
    for number in range(25):
        refuse(server, body=f"{number} ".encode() + b"x" * 2000)
    short = browser.get("/p/default/settings")
    rows = parse_html(short.text).select("#refused tbody tr")
    assert len(rows) == 10
    assert rows[0].one("pre").text.startswith("24 ")
    assert len(rows[0].one("pre").text) < 400
    assert len(short.content) < 60_000
    rows = settings_of(browser, "?refused=all").select("#refused tbody tr")
    assert len(rows) == 25
    assert len(rows[0].one("pre").text) == 2003


# people and the audit trail


def test_admins_see_who_may_use_the_project(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    add_user(server, "in", "viewer")
    add_user(server, "out", "member", projects=("other",))
    names = [cell.text for cell in settings_of(server.sign_in()).select("#people th[scope=row]")]
    assert "in" in names
    assert "out" not in names


def test_the_audit_trail_shows_the_newest_hundred(server: Server) -> None:
    context = server.running.context
    [project] = server.rows("select id from projects")
    for number in range(110):
        act = Act("command line", context.clock() + number, context.make_id)
        owner = project["id"] if number % 2 else None
        server.run(context.database.write(note, act, owner, "key.create", f"n{number}"))
    server.run(context.database.write(note, act, 7, "key.create", "another project's"))

    def subjects(role: str) -> list[str]:
        rows = settings_of(server.sign_in(role)).select("#audit tbody tr")
        return [row.select("td")[3].text for row in rows]

    assert subjects("admin") == [f"n{number}" for number in range(109, 9, -1)]
    # what belongs to no project is for admins
    assert subjects("viewer") == [f"n{number}" for number in range(109, 0, -2)]


def test_the_audit_trail_is_in_the_order_of_time(server: Server) -> None:
    """Two commands may run at once: ids are made before the turn to write comes."""
    [project] = server.rows("select id from projects")
    database = server.running.context.database
    for number, at in enumerate((30, 10, 20)):
        owner = None if at == 20 else project["id"]
        entry = AuditEntry(900 + number, owner, "command line", "key.create", f"at {at}", "", at)
        server.run(database.write(insert_entry, entry))

    def subjects(role: str) -> list[str]:
        rows = settings_of(server.sign_in(role)).select("#audit tbody tr")
        told = [row.select("td")[3].text for row in rows]
        return [text for text in told if text.startswith("at ")]

    assert subjects("admin") == ["at 30", "at 20", "at 10"]
    assert subjects("viewer") == ["at 30", "at 10"]


def test_hostile_names_are_text(server: Server) -> None:
    browser = server.sign_in()
    name = HOSTILE_MARKUP[:100]
    answer = make_key(browser, name=name, env=name, service=name)
    page = parse_html(answer.text)
    assert page.one("h1").text == f"The key {name}"
    assert page.select("main script") == page.select("main img") == []
    add_user(server, name)
    page = settings_of(browser)
    assert page.one("#keys tbody th").text == name
    assert name in [cell.text for cell in page.select("#people th[scope=row]")]
    assert name in [cell.text for cell in page.select("#audit td")]
    assert page.select("main script") == page.select("main img") == []
    server.http.post("/login", data={"name": name, "password": "correct horse battery"})
    account = parse_html(server.http.get("/account").text)
    assert account.one("h1").text == name
    assert account.select("main script") == account.select("main img") == []
    bad = parse_html(
        make_key(browser, name=HOSTILE_MARKUP, env=HOSTILE_MARKUP, expires=HOSTILE_MARKUP).text
    )
    assert bad.one("input[name=env]")["value"] == HOSTILE_MARKUP
    assert bad.select("main script") == bad.select("main img") == []


def test_a_host_header_reaches_no_snippet(server: Server) -> None:
    browser = server.sign_in()
    page = browser.get("/p/default/settings", headers={"Host": "evil.example'; rm -rf ~; '"})
    assert "rm -rf" not in page.text
