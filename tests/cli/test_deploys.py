"""`miniapm deploys list`, `show`, `edit`, `delete` and `restore`."""

import json
from typing import Any

import pytest

from miniapm import clock
from miniapm.clock import MINUTE
from miniapm.domain.deploys.values import Commit
from miniapm.domain.impact.values import State, StoredVerdict, Verdict
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.rows import insert_commits, insert_row
from miniapm.storage.impact.verdicts import Judged, store_verdict
from miniapm.storage.once import write_once
from miniapm.storage.projects import Project, insert_project
from miniapm.web.verdicts import tell_mark
from tests.cli.conftest import Command
from tests.cli.terminal import run_in_terminal
from tests.conftest import Server
from tests.factories import START, make_deploy
from tests.impacts import make_endpoint, make_impact


@pytest.fixture
def shop(miniapm: Command) -> Command:
    """Three deploys in `default`, one of them hidden, and one in `other`."""
    deploys = [
        make_deploy(id=11, version="v1", tags=("a", "b"), deployer="alice"),
        make_deploy(id=12, git_sha="bbbbbbb2", env="staging", deployed_at=START + MINUTE),
        make_deploy(id=13, git_sha="c3", deployed_at=START + 2 * MINUTE, hidden_at=START),
    ]

    def insert(connection: Any) -> None:
        insert_project(connection, Project(2, "other", "Other", START))
        for deploy in (*deploys, make_deploy(id=21, project_id=2)):
            insert_row(connection, deploy)
        commit = Commit("aaaaaaa1", START, "Fix\n\nmore", "bob")
        insert_commits(connection, get_deploy(connection, 1, 11), [commit])

    write_once(miniapm.home / "miniapm.db", insert)
    return miniapm


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [12, 11]),
        (["--hidden"], [13]),
        (["--env", "staging"], [12]),
        (["--service", "none"], []),
        (["--tag", "b"], [11]),
        (["-q", "ALICE"], [11]),
        (["--status", "failed"], []),
        (["--since", "2025-10-09T08:54:00Z"], [12]),
        (["--until", "2025-10-09T08:54:00Z"], [11]),
        (["--since", "1m"], []),
        (["--until", "2025-10-09"], []),
        (["--limit", "1"], [12]),
        (["--project", "other"], [21]),
    ],
)
def test_list_filters(shop: Command, arguments: list[str], expected: list[int]) -> None:
    done = shop("deploys", "list", "--json", *arguments)
    assert [int(row["id"]) for row in json.loads(done.out)] == expected
    assert ("There are more" in done.err) == ("--limit" in arguments)


def test_list_prints_what_the_api_answers(shop: Command) -> None:
    [row] = json.loads(shop("deploys", "list", "--json", "--tag", "a").out)
    assert row == {
        "id": "11",
        "external_id": None,
        "project": "default",
        "service": "shop",
        "env": "production",
        "git_sha": "aaaaaaa1",
        "version": "v1",
        "deployer": "alice",
        "title": "Fix",
        "description": None,
        "tags": ["a", "b"],
        "url": None,
        "repository": None,
        "status": "succeeded",
        "timestamp": "2025-10-09T08:53:20Z",
        "started_at": None,
        "recorded_at": "2025-10-09T08:53:20Z",
        "sources": ["api"],
        "first_seen_at": None,
        "hidden_at": None,
        "overruled": None,
        "is_left_out": False,
        "kind": "first",
        "kind_reason": "Nothing was live in production before.",
        "previous_id": None,
        "verdict": None,
        "page": "http://127.0.0.1:3000/p/default/deploys/11",
    }
    heading, first, second = shop("deploys", "list").out.splitlines()
    assert heading.split()[:3] == ["ID", "TIME", "ENV"]
    assert (first.split()[0], second.split()[0]) == ("12", "11")


def test_verdicts_are_told_in_the_words_of_the_pages(shop: Command) -> None:
    young = make_deploy(id=31, version="v9", deployed_at=clock.now())
    old = make_deploy(id=11)
    impact = make_impact(old, endpoints=(make_endpoint(verdict="not_enough_data"),))

    def insert(connection: Any) -> None:
        insert_row(connection, young)
        store_verdict(connection, 1, Judged(impact, START, 0, START, None, None), 1)

    write_once(shop.home / "miniapm.db", insert)
    heading, *lines = shop("deploys", "list").out.splitlines()
    at = heading.index("VERDICT")
    told = {line.split()[0]: line[at : heading.index("VERSION")].strip() for line in lines}
    assert told == {"31": "not judged yet", "12": "-", "11": "not enough data"}
    rows = json.loads(shop("deploys", "list", "--json").out)
    assert [row["verdict"] for row in rows] == [None, None, "not_enough_data"]


@pytest.mark.parametrize(
    ("state", "verdict", "told"),
    [
        ("final", "regressed", "regressed"),
        ("provisional", "regressed", "regressed so far"),
        ("provisional", "not_enough_data", "not enough data"),
        ("superseded", "not_enough_data", "superseded"),
        ("withdrawn", "unchanged", "withdrawn"),
        ("pending", "not_enough_data", ""),
    ],
)
def test_a_list_and_a_page_call_a_verdict_the_same(
    shop: Command, state: State, verdict: Verdict, told: str
) -> None:
    deploy = make_deploy(id=11)
    impact = make_impact(deploy, state=state, endpoints=(make_endpoint(verdict=verdict),))
    judged = Judged(impact, START, 0, START, None, None)
    write_once(shop.home / "miniapm.db", store_verdict, 1, judged, 1)
    mark = tell_mark(StoredVerdict(state, verdict, False, None, None))
    assert (mark.word if mark is not None else "") == told
    heading, _, line = shop("deploys", "list").out.splitlines()
    cell = line[heading.index("VERDICT") : heading.index("VERSION")].strip()
    assert cell == (told or "-")
    shown = {name: rest.strip() for name, _, rest in split(shop("deploys", "show", "11").out)}
    assert shown["verdict"] == cell
    # what programs read stays the verdict of the contract
    reached = None if state == "pending" else verdict
    assert json.loads(shop("deploys", "show", "11", "--json").out)["verdict"] == reached


def split(text: str) -> list[tuple[str, str, str]]:
    return [line.partition(" ") for line in text.splitlines()]


def test_a_terminal_gets_lines_of_its_width(shop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    title, sha = "A title that goes on and on " * 5, "abcdef0123456789abcd"
    shop("deploys", "edit", "11", "--title", title, "--sha", sha)
    monkeypatch.setenv("COLUMNS", "120")
    code, screen = run_in_terminal(shop.home, "deploys", "list", "--tag", "a", typed={})
    heading, line = screen.splitlines()
    assert (code, max(len(heading), len(line))) == (0, 120)
    assert line.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert line.split()[0] == "11"
    assert f" {sha[:12]} " in line
    piped = shop("deploys", "list", "--tag", "a").out
    assert title.strip() in piped
    assert sha in piped
    _, screen = run_in_terminal(shop.home, "deploys", "list", "--limit", "1", typed={})
    assert "There are more than this one;" in screen


def test_show_prints_everything(shop: Command) -> None:
    shop("deploys", "edit", "11", "--title", "Ours", "--tag", "")
    fields = json.loads(shop("deploys", "show", "11", "--json").out)
    assert fields["title"] == "Ours"
    [commit] = fields["commits"]
    assert (commit["sha"], commit["author"]) == ("aaaaaaa1", "bob")
    [change] = fields["changes"]
    assert change["before"] == {"tags": ["a", "b"], "title": None}
    assert change["after"] == {"tags": [], "title": "Ours"}
    told = shop("deploys", "show", "11").out
    assert "Nothing was live in production before." in told
    assert "Fix\\n\\nmore" in told
    assert "command line  tags a+b -> (empty), title (empty) -> Ours" in told


def test_edit_corrects_each_field_and_empties(shop: Command) -> None:
    done = shop(
        *("deploys", "edit", "11", "--sha", "d4", "--version", "", "--env", "eu", "--service", "w"),
        *("--deployer", "x", "--title", "t", "--description", "d", "--tag", "p", "--tag", "q"),
        *("--timestamp", "2024-01-15T14:30:00Z", "--started-at", "2024-01-15T14:20:00Z"),
        *("--status", "failed", "--url", "https://a.example", "--repository", "git@a:b", "--json"),
    )
    assert done.code == 0
    fields = json.loads(done.out)
    [row] = shop.rows("select * from deploys where id = 11")
    assert (row["git_sha"], row["version"], row["env"], row["service"]) == ("d4", None, "eu", "w")
    assert (row["status"], row["url"], row["repository"]) == (
        "failed",
        "https://a.example",
        "git@a:b",
    )
    assert row["deployed_at"] - row["started_at"] == 10 * MINUTE
    assert fields["tags"] == ["p", "q"]


@pytest.mark.parametrize(("option", "word"), [("--failed", "failed"), ("--ok", "ok")])
def test_edit_overrules_and_takes_it_back(shop: Command, option: str, word: str) -> None:
    stored = "select status, overruled from deploys where id = 11"
    [before] = shop.rows(stored)
    done = shop("deploys", "edit", "11", option, "--json")
    assert (done.code, json.loads(done.out)["overruled"]) == (0, word)
    assert shop.rows(stored) == [{**before, "overruled": word}]
    assert "was like that already" in shop("deploys", "edit", "11", option).err
    assert shop("deploys", "edit", "11", "--not-overruled").code == 0
    assert shop.rows(stored) == [before]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["edit", "11"], "say what to change"),
        (["edit", "11", "--ok", "--failed"], "only one of"),
        (["edit", "11", "--ok", "--not-overruled"], "only one of"),
        (["edit", "11", "--sha", ""], "git_sha cannot be empty"),
        (["edit", "11", "--timestamp", "soon"], "timestamp must be an ISO 8601"),
        (["edit", "11", "--timestamp", "2026-11-20"], "it needs a time, too"),
        (["edit", "11", "--status", "gone"], "status must be"),
        (["edit", "99", "--ok"], "There is no such deploy."),
        (["show", "99"], "There is no such deploy."),
        (["delete", "99"], "There is no such deploy."),
        (["restore", "99"], "There is no such deploy."),
        (["show", "v1"], "'v1' is no id"),
        (["list", "--since", "soon"], "'soon' is no time"),
        (["list", "--status", "gone"], "is one of started"),
        (["list", "--project", "nope"], "There is no project nope. There are: default, other."),
    ],
)
def test_wrong_use_is_one_line_and_2(shop: Command, arguments: list[str], expected: str) -> None:
    before = shop.rows("select * from deploys order by id")
    done = shop("deploys", *arguments)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert done.err.count("\n") == 1
    assert shop.rows("select * from deploys order by id") == before


def test_delete_hides_and_says_how_to_restore(shop: Command) -> None:
    done = shop("deploys", "delete", "11")
    assert (done.code, "miniapm deploys restore 11" in done.err) == (0, True)
    assert shop.rows("select hidden_at is null as shown from deploys where id = 11") == [
        {"shown": 0}
    ]
    assert "was hidden already" in shop("deploys", "delete", "11").err
    assert "is back" in shop("deploys", "restore", "11").err
    assert shop.rows("select hidden_at from deploys where id = 11") == [{"hidden_at": None}]
    assert "was not hidden" in shop("deploys", "restore", "11").err


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "1"], ["edit", "1", "--ok"], ["delete", "1"], ["restore", "1"]],
)
def test_without_a_database_it_names_the_path_and_exits_3(
    command: Command, arguments: list[str]
) -> None:
    done = command("deploys", *arguments)
    assert (done.code, done.out) == (3, "")
    assert str(command.home / "miniapm.db") in done.err
    assert not (command.home / "miniapm.db").exists()


def test_a_running_server_answers_with_the_correction(server: Server, command: Command) -> None:
    key = server.make_key("deploys:write")
    headers = {"Authorization": f"Bearer {key}"}
    answer = server.http.post("/ingest/deploys", headers=headers, json={"git_sha": "abc1234"})
    deploy_id = answer.headers["location"].rsplit("/", 1)[1]
    done = command("deploys", "edit", deploy_id, "--failed", "--db", str(server.path))
    assert done.code == 0
    answer = server.http.get(f"/api/v1/deploys/{deploy_id}", headers=headers)
    assert (answer.json()["status"], answer.json()["overruled"]) == ("succeeded", "failed")
    assert server.rows("select overruled from deploys") == [{"overruled": "failed"}]
    told = json.loads(command("deploys", "show", deploy_id, "--json", "--db", str(server.path)).out)
    api = {**answer.json(), "page": ""}
    assert {name: told[name] for name in api} | {"page": ""} == api
