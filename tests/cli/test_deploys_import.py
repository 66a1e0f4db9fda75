"""`miniapm deploys import`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniapm.cli import run
from miniapm.storage.once import read_once, write_once
from miniapm.storage.projects import Project, insert_project
from tests.cli.conftest import Command
from tests.client.git_repository import GitRepository
from tests.conftest import Server
from tests.factories import START

CAPISTRANO = """\
Branch main (at abc1230) deployed as release 20240115143000 by alice
Branch main (at abc1231) deployed as release 20240115143500 by bob
alice rolled back to release 20240115143000
Branch main (at abc1230) deployed as release 20240115150000 by bob
"""


def history(length: int, **more: Any) -> list[dict[str, Any]]:
    """A deploy every hour."""
    return [
        {"git_sha": f"{i:07x}", "timestamp": 1_400_000_000 + i * 3600, **more}
        for i in range(length)
    ]


def write(home: Path, name: str, *lines: dict[str, Any]) -> str:
    (home / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return name


def line(sha: str, minute: int, **more: Any) -> dict[str, Any]:
    return {"git_sha": sha, "timestamp": f"2024-01-15T14:{minute:02}:00Z", **more}


def test_each_line_is_told_and_a_bad_one_stops_none(miniapm: Command) -> None:
    file = write(
        miniapm.home,
        "old.ndjson",
        line("abc1234", 0, version="v1", tags=["a"], environment="eu", id="run-1"),
        {"git_sha": "", "env": "$ENV", "timestamp": "1999-01-01T00:00:00Z"},
        line("abc1234", 3, version="v1", environment="eu", service="default"),
        line("def", 5, commits=[{"sha": "def", "timestamp": "2024-01-15T14:00:00Z"}]),
    )
    done = miniapm("deploys", "import", file)
    assert done.code == 2
    lines = done.out.splitlines()
    assert lines[0].startswith("line 1: new ")
    for part in ("git_sha", "env holds '$ENV'", "timestamp is before the year 2000"):
        assert part in lines[1]
    assert lines[2].startswith("line 3: already there ")
    assert lines[3].startswith("line 4: new ")
    assert lines[4] == "4 lines: 2 new, 1 already there, 1 refused."
    assert "1 of 4 lines were refused" in done.err
    rows = miniapm.rows("select * from deploys order by deployed_at")
    assert [(r["git_sha"], r["env"], r["service"], r["sources"]) for r in rows] == [
        ("abc1234", "eu", "default", "import"),
        ("def", "production", "default", "import"),
    ]
    assert rows[0]["external_id"] == "run-1"
    assert miniapm.rows("select tag from deploy_tags") == [{"tag": "a"}]
    assert miniapm.rows("select sha from deploy_commits") == [{"sha": "def"}]


def test_json_is_one_object_with_every_bad_field(miniapm: Command) -> None:
    file = write(miniapm.home, "f.ndjson", line("abc", 0), {"git_sha": 5, "tags": 7})
    told = json.loads(miniapm("deploys", "import", file, "--json").out)
    [row] = miniapm.rows("select id from deploys")
    assert told["lines"][0] == {"line": 1, "result": "new", "id": str(row["id"])}
    assert told["lines"][1]["result"] == "refused"
    assert set(told["lines"][1]["fields"]) == {"git_sha", "tags", "timestamp"}
    totals = {name: told[name] for name in ("new", "already_there", "refused", "dry_run", "format")}
    assert totals == {
        "new": 1,
        "already_there": 0,
        "refused": 1,
        "dry_run": False,
        "format": "ndjson",
    }
    (miniapm.home / "empty.csv").touch()
    assert json.loads(miniapm("deploys", "import", "empty.csv", "--json").out)["lines"] == []


def test_env_and_service_are_for_lines_that_name_none(miniapm: Command) -> None:
    (miniapm.home / "f.csv").write_text(
        "git_sha,timestamp,env\nabc,2024-01-15T14:30:00Z,\ndef,2024-01-15T14:31:00Z,eu\n"
    )
    done = miniapm("deploys", "import", "f.csv", "--env", "staging", "--service", "web")
    assert done.code == 0
    rows = miniapm.rows("select git_sha, env, service from deploys order by git_sha")
    assert [tuple(row.values()) for row in rows] == [
        ("abc", "staging", "web"),
        ("def", "eu", "web"),
    ]


def test_capistrano_s_log_gives_rollbacks_and_is_recognised_again(miniapm: Command) -> None:
    (miniapm.home / "revisions.log").write_text(CAPISTRANO)
    first = miniapm("deploys", "import", "revisions.log")
    assert (first.code, first.out.splitlines()[-1]) == (
        0,
        "4 lines: 4 new, 0 already there, 0 refused.",
    )
    again = miniapm("deploys", "import", "revisions.log")
    assert again.out.splitlines()[-1] == "4 lines: 0 new, 4 already there, 0 refused."
    told = json.loads(miniapm("deploys", "list", "--json").out)
    assert [row["kind"] for row in told] == ["redeploy", "rollback", "deploy", "first"]
    for done in (first, again):
        assert done.err.startswith("1 of them is a rollback: Capistrano does not log when.")
        assert "deploys list --tag time_unknown" in done.err
    assert [row["tags"] for row in told] == [[], ["time_unknown"], [], []]


def test_a_line_that_tells_more_updates_what_is_there(miniapm: Command) -> None:
    """GitHub's deployments, at first without their statuses: then they turn out to have failed."""
    api = "https://api.github.com/repos/acme/shop/deployments"
    bare = {
        "url": f"{api}/1",
        "id": 1,
        "sha": "a" * 40,
        "environment": "production",
        "created_at": "2024-02-01T10:00:00Z",
    }
    told = {"deployment_url": f"{api}/1", "state": "failure", "created_at": "2024-02-01T10:05:00Z"}
    write(miniapm.home, "bare.ndjson", bare)
    write(miniapm.home, "told.ndjson", bare, told)
    command = ("deploys", "import", "--format", "github")
    assert "1 line: 1 new, 0 already there" in miniapm(*command, "bare.ndjson").out
    tried = json.loads(miniapm(*command, "told.ndjson", "--dry-run", "--json").out)
    assert (tried["lines"][0]["result"], tried["updated"]) == ("updated", 1)
    assert [row["status"] for row in miniapm.rows("select status from deploys")] == ["succeeded"]
    done = miniapm(*command, "told.ndjson")
    assert done.out.splitlines()[-1] == "1 line: 0 new, 1 updated, 0 already there, 0 refused."
    assert [row["status"] for row in miniapm.rows("select status from deploys")] == ["failed"]
    again = json.loads(miniapm(*command, "told.ndjson", "--json").out)
    assert (again["updated"], again["already_there"]) == (0, 1)


def test_commits_that_were_not_there_update_a_deploy(miniapm: Command) -> None:
    commits = [{"sha": "abc", "timestamp": "2024-01-15T14:00:00Z"}]
    file = write(miniapm.home, "f.ndjson", line("abc", 5), line("abc", 5, commits=commits))
    done = miniapm("deploys", "import", file)
    assert done.out.splitlines()[-1] == "2 lines: 1 new, 1 updated, 0 already there, 0 refused."
    assert miniapm.rows("select sha from deploy_commits") == [{"sha": "abc"}]
    assert "2 lines: 0 new, 2 already there" in miniapm("deploys", "import", file).out


def test_capistrano_itself_writes_what_is_read(
    miniapm: Command, program: Callable[[str], str]
) -> None:
    """The words are those of the installed Capistrano."""
    ruby = program("ruby")
    program("cap")
    script = (
        'require "capistrano/all"; include Capistrano::DSL; '
        'set :branch, "main"; set :current_revision, "abc1234"; set :local_user, "alice"; '
        'set :release_timestamp, "20240115143000"; set :rollback_timestamp, "20240115143000"; '
        "puts revision_log_message, rollback_log_message"
    )
    done = subprocess.run([ruby, "-e", script], capture_output=True, text=True, check=True)
    (miniapm.home / "log").write_text(done.stdout)
    imported = miniapm("deploys", "import", "log")
    assert imported.out.splitlines()[-1] == "2 lines: 1 new, 1 already there, 0 refused."


def test_a_dry_run_tells_the_same_and_stores_nothing(miniapm: Command) -> None:
    miniapm("deploys", "import", write(miniapm.home, "a.ndjson", line("abc", 0)))
    many = [line(f"sha{i}", i % 60) for i in range(600)]
    file = write(miniapm.home, "b.ndjson", line("abc", 1), *many, many[0], {"git_sha": "x"})
    before = miniapm.rows("select * from deploys")
    tried = miniapm("deploys", "import", file, "--dry-run", "--json")
    assert miniapm.rows("select * from deploys") == before
    done = miniapm("deploys", "import", file, "--json")
    assert (tried.code, done.code) == (2, 2)
    told, real = json.loads(tried.out), json.loads(done.out)
    assert (told["new"], told["already_there"], told["refused"]) == (600, 2, 1)
    assert [one["result"] for one in told["lines"]] == [one["result"] for one in real["lines"]]
    assert told["dry_run"]
    assert "id" not in {k for one in told["lines"] if one["result"] == "new" for k in one if one[k]}


def test_what_the_api_announced_is_the_same_deploy(server: Server, command: Command) -> None:
    headers = {"Authorization": f"Bearer {server.make_key()}"}
    sent = {"git_sha": "abc1234def", "deployer": "ci", "timestamp": "2024-01-15T14:30:00Z"}
    assert server.http.post("/ingest/deploys", headers=headers, json=sent).status_code == 202
    file = write(
        command.home, "f.ndjson", line("abc1234", 45, deployer="cap", description="by hand")
    )
    done = command("deploys", "import", file, "--db", str(server.path))
    assert "1 line: 0 new, 1 updated, 0 already there" in done.out
    [row] = server.rows("select * from deploys")
    assert (row["git_sha"], row["deployer"], row["description"], row["sources"]) == (
        "abc1234def",
        "ci",
        "by hand",
        "api,import",
    )
    assert server.http.get("/api/v1/deploys", headers=headers).json()["items"][0]["sources"] == [
        "api",
        "import",
    ]


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        (b"hello\n", [], "name it with --format"),
        (b"a,b\n1,2\n", ["--format", "csv"], "one of them must be git_sha"),
        (b'[{"git_sha": "a"}]', [], "jq -c"),
        (b"", ["--format", "xml"], "xml"),
        (b"", ["--project", "nope"], "There is no project nope."),
    ],
)
def test_what_cannot_be_read_is_one_line_and_2(
    miniapm: Command, content: bytes, arguments: list[str], expected: str
) -> None:
    (miniapm.home / "file").write_bytes(content)
    done = miniapm("deploys", "import", "file", *arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert expected in done.err
    assert miniapm.rows("select * from deploys") == []


def test_default_flags_are_judged_like_fields(miniapm: Command) -> None:
    file = write(miniapm.home, "f.ndjson", line("abc", 0))
    for flag, value in (("--env", "x" * 101), ("--service", "a\nb"), ("--env", "${ENV}")):
        done = miniapm("deploys", "import", file, flag, value)
        assert (done.code, done.err.count("\n")) == (2, 1)
    assert miniapm.rows("select * from deploys") == []


def test_missing_files_exit_3(miniapm: Command) -> None:
    done = miniapm("deploys", "import", "nothing.csv")
    assert (done.code, done.err) == (3, "miniapm: No such file or directory: nothing.csv.\n")
    done = miniapm("deploys", "import", "nothing.csv", "--db", "no.db")
    assert (done.code, str(miniapm.home / "no.db") in done.err) == (3, True)


def test_stdin_is_read_with_a_dash(miniapm: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "miniapm", "deploys", "import", "-"],
        cwd=miniapm.home,
        input=json.dumps(line("abc", 0)).encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert miniapm.rows("select git_sha from deploys") == [{"git_sha": "abc"}]


def test_hostile_text_stays_on_its_line(miniapm: Command) -> None:
    file = write(
        miniapm.home,
        "f.ndjson",
        line("abc", 0, env="a\x1b[2J"),
        line("\u202eabc", 1),
        {"x\nline 9: new": 1},
    )
    done = miniapm("deploys", "import", file)
    assert len(done.out.splitlines()) == 4
    assert not {"\x1b", "\u202e"} & set(done.out + done.err)


def _rows(path: Path) -> list[tuple[Any, ...]]:
    sql = "select id, status, git_sha, deployed_at, started_at from deploys order by id"
    found: list[tuple[Any, ...]] = read_once(
        path, lambda connection: [tuple(row) for row in connection.execute(sql)]
    )
    return found


events = st.lists(
    st.builds(
        line,
        st.sampled_from(["abc1230", "abc1231"]),
        st.integers(0, 40),
        status=st.sampled_from(["succeeded", "succeeded", "failed"]),
        version=st.sampled_from([None, "v1", "v2"]),
    ),
    max_size=8,
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=events)
def test_a_file_imported_twice_makes_no_second_row(
    lines: list[dict[str, Any]], miniapm: Command
) -> None:
    path = miniapm.home / "miniapm.db"
    write_once(path, lambda connection: connection.execute("delete from deploys"))
    file = write(miniapm.home, "again.ndjson", *lines)
    assert run(["deploys", "import", file]) == 0
    once = _rows(path)
    assert run(["deploys", "import", file]) == 0
    assert _rows(path) == once


def test_killed_in_the_middle_it_leaves_whole_transactions(miniapm: Command) -> None:
    total = 20_000
    file = write(miniapm.home, "f.ndjson", *history(total, tags=["t"]))
    process = subprocess.Popen(
        [sys.executable, "-m", "miniapm", "deploys", "import", file],
        cwd=miniapm.home,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(1200)]
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait(20)
    [row] = miniapm.rows("select count(*) as deploys from deploys")
    assert row["deploys"] % 500 == 0
    assert len(told) <= row["deploys"] < total
    [tags] = miniapm.rows("select count(*) as tags from deploy_tags")
    assert tags["tags"] == row["deploys"]
    assert miniapm.rows("pragma quick_check") == [{"quick_check": "ok"}]
    again = miniapm("deploys", "import", file)
    assert again.code == 0
    new = total - row["deploys"]
    assert f"{new:,} new, {row['deploys']:,} already there" in again.out.splitlines()[-1]


def test_other_projects_are_left_alone(miniapm: Command) -> None:
    path = miniapm.home / "miniapm.db"
    write_once(path, insert_project, Project(2, "other", "Other", START))
    file = write(miniapm.home, "f.ndjson", line("abc", 0, id="same"))
    for project in ("default", "other"):
        assert "1 new" in miniapm("deploys", "import", file, "--project", project).out
    rows = miniapm.rows("select project_id, service from deploys order by project_id")
    assert [tuple(row.values()) for row in rows] == [(1, "default"), (2, "other")]


def test_a_hundred_thousand_lines_would_take_less_than_twenty_seconds(miniapm: Command) -> None:
    file = write(miniapm.home, "f.ndjson", *history(5000))
    began = time.monotonic()
    assert miniapm("deploys", "import", file).code == 0
    # a twentieth of it, with room for a busy machine
    assert time.monotonic() - began < 4


def test_columns_that_are_no_fields_are_told(miniapm: Command) -> None:
    (miniapm.home / "f.csv").write_text(
        "git_sha,timestamp,enviroment,Team\nabc,2024-01-15T14:30:00Z,eu,x\n"
    )
    done = miniapm("deploys", "import", "f.csv")
    first, second, total = done.out.splitlines()
    assert first == "line 1: left out: the columns 'enviroment', 'team' are no fields of a deploy"
    assert second.startswith("line 2: new ")
    assert total == "2 lines: 1 new, 0 already there, 0 refused, 1 left out."
    assert miniapm.rows("select git_sha, env from deploys") == [
        {"git_sha": "abc", "env": "production"}
    ]


@pytest.mark.parametrize(
    ("name", "content", "arguments"),
    [
        ("f.csv", "git_sha,timestamp\nabc,2024-01-15T14:30:00Z\n", ()),
        ("f", '{"git_sha": "abc", "timestamp": "2024-01-15T14:30:00Z"}\n', ()),
        ("f", '{"sha": "abc", "timestamp": "2024-01-15T14:30:00Z"}\n', ("--format", "commits")),
    ],
)
def test_match_is_for_tags_only(
    miniapm: Command, name: str, content: str, arguments: tuple[str, ...]
) -> None:
    (miniapm.home / name).write_text(content)
    done = miniapm("deploys", "import", name, "--match", "v*", *arguments)
    assert done.code == 2
    assert "--match: is for tags only" in done.err
    assert miniapm.rows("select id from deploys") == []
    assert miniapm.rows("select sha from pushed_commits") == []


def test_nothing_to_import_is_said(miniapm: Command) -> None:
    (miniapm.home / "empty.csv").touch()
    done = miniapm("deploys", "import", "empty.csv")
    assert (done.code, done.err) == (0, "empty.csv holds nothing to import.\n")
    repository = GitRepository(miniapm.home / "shop")
    repository.commit("one")
    repository.git("tag", "v1")
    done = miniapm("deploys", "import", "shop", "--match", "w*")
    assert (done.code, done.err) == (0, "shop holds nothing to import: no tag is called w*.\n")
    assert miniapm.rows("select * from deploys") == []
    assert "1 new" in miniapm("deploys", "import", "shop", "--match", "v*").out
