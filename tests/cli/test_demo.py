"""`miniapm demo` and `serve --demo`: what a newcomer sees before anything was sent."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from miniapm.clock import DAY, HOUR, MINUTE, now
from tests import factories
from tests.cli.conftest import Command
from tests.cli.served import serving

PAGES = ("", "deploys", "endpoints", "traces", "errors", "settings")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which `miniapm demo --json` ran once; its answer is in `made.json`."""
    home = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "miniapm", "demo", "--json"],
        cwd=home,
        env={name: value for name, value in os.environ.items() if "MINIAPM" not in name},
        text=True,
        capture_output=True,
        check=True,
    )
    assert "Look at it: miniapm serve\n" in done.stderr
    (home / "made.json").write_text(done.stdout)
    return home


def rows(home: Path, sql: str, **values: Any) -> list[dict[str, Any]]:
    return factories.read_rows(home / "miniapm.db", sql, **values)


def verdict_of(home: Path, version: str) -> dict[str, Any]:
    """How it stands with the first deploy of a version of the web to production."""
    [row, *_] = rows(
        home,
        """select d.id, d.deployed_at, i.state, i.verdict, c.sentence
        from deploys d left join impacts i on i.deploy_id = d.id
            left join impact_changes c on c.deploy_id = d.id
        where d.version = :version and d.env = 'production' and d.service = 'web'
        order by d.deployed_at, d.id, c.id desc""",
        version=version,
    )
    return row


def test_it_says_what_it_made(home: Path) -> None:
    made = json.loads((home / "made.json").read_text())
    [counted] = rows(
        home,
        """select (select count(*) from deploys) as deploys,
            (select count(*) from entries) as traces,
            (select count(*) from error_groups) as errors,
            (select sum(count) from rollups where resolution = 60 and endpoint_id = 0) as requests,
            (select count(*) from impacts where verdict = 'regressed') as regressed""",
    )
    assert made == {"path": str(home / "miniapm.db"), "project": "demo", **counted}
    assert counted["deploys"] >= 36
    assert counted["requests"] > 100_000
    assert rows(home, "select slug, name from projects") == [{"slug": "demo", "name": "Demo shop"}]


def test_it_is_a_week_up_to_now_in_two_environments(home: Path) -> None:
    [span] = rows(home, "select min(started_at) as since, max(started_at) as until from rollups")
    assert now() - 8 * DAY < span["since"] < span["until"] <= now()
    assert span["until"] - span["since"] >= 7 * DAY - HOUR
    envs = rows(home, "select distinct env from deploys order by env")
    assert [row["env"] for row in envs] == ["production", "staging"]


def test_no_request_is_counted_twice(home: Path) -> None:
    for resolution in (1, 10):
        [row] = rows(
            home,
            """select (select sum(count) from rollups where resolution = 60)
                - (select sum(count) from rollups where resolution = :resolution) as difference""",
            resolution=resolution,
        )
        assert row["difference"] == 0
    # in the last minutes every request is a trace
    [row] = rows(
        home,
        """select (select count(*) from entries where started_at >= :since) as entries,
            (select sum(count) from rollups where resolution = 1 and endpoint_id = 0
                and started_at >= :since) as counted""",
        since=now() // MINUTE * MINUTE - 30 * MINUTE,
    )
    assert row["entries"] == row["counted"] > 1000


def test_the_slow_deploy_regressed_and_was_rolled_back(home: Path) -> None:
    slow = verdict_of(home, "v2.30.0")
    assert slow["verdict"] == "regressed"
    assert re.search(r"made GET /search \d\d\s?% slower", slow["sentence"])
    [back] = rows(
        home,
        """select d.version, d.deployed_at, i.verdict from deploys d
            join impacts i on i.deploy_id = d.id
        where d.env = 'production' and d.service = 'web' and d.deployed_at > :at
        order by d.deployed_at limit 1""",
        at=slow["deployed_at"],
    )
    assert (back["version"], back["verdict"]) == ("v2.29.0", "improved")
    assert 39 * MINUTE < back["deployed_at"] - slow["deployed_at"] < 42 * MINUTE


def test_the_failing_deploy_brought_a_new_error(home: Path) -> None:
    failing = verdict_of(home, "v2.32.0")
    assert failing["verdict"] == "regressed"
    assert "POST /checkout" in failing["sentence"]
    assert "the new error KeyError" in failing["sentence"]
    [group] = rows(home, "select * from error_groups where exception_class = 'KeyError'")
    assert group["first_seen_at"] > failing["deployed_at"]
    assert group["culprit"] == "shop/checkout/addresses.py in from_form"
    assert rows(home, "select * from error_occurrences where group_id = :id", id=group["id"])


def test_other_deploys_have_the_verdicts_of_their_stories(home: Path) -> None:
    assert verdict_of(home, "v2.28.0")["verdict"] == "improved"
    assert verdict_of(home, "v2.26.0")["verdict"] is None  # this one failed, and was tried again
    for version in ("v2.27.0", "v2.29.0", "v2.31.0", "v2.32.1"):
        assert verdict_of(home, version)["verdict"] == "unchanged", version
    [row] = rows(
        home,
        """select count(*) as count from deploys where status = 'succeeded' and id not in (
            select deploy_id from impacts where state <> 'pending')""",
    )
    assert row["count"] == 0


def test_what_telemetry_shows_is_tied_to_its_deploy(home: Path) -> None:
    assert rows(home, "select * from releases where deploy_id is null") == []
    seen = rows(home, "select version from deploys where sources = 'telemetry'")
    assert seen == [{"version": "v1.12.1"}]


def test_errors_came_back_and_are_ignored(home: Path) -> None:
    states = {
        row["exception_class"]: (row["state"], row["regressed_at"] is not None)
        for row in rows(home, "select exception_class, state, regressed_at from error_groups")
    }
    assert states["psycopg_pool.PoolTimeout"] == ("open", True)
    assert states["django.core.exceptions.DisallowedHost"] == ("ignored", False)
    assert states["TypeError"] == ("open", False)


def test_every_page_answers(home: Path) -> None:
    ids = {
        "deploys": rows(home, "select id from deploys"),
        "endpoints": rows(home, "select id from endpoints"),
        "errors": rows(home, "select id from error_groups"),
        "traces": rows(
            home,
            """select lower(hex(trace_id)) as id from entries
            group by endpoint_id, failed having max(duration_us)""",
        ),
    }
    paths = [*PAGES, *(f"{kind}/{row['id']}" for kind, found in ids.items() for row in found)]
    with serving(home, lines=4) as served, httpx2.Client() as browser:
        sign_in(browser, served.printed[3])
        first = browser.get(served.address, follow_redirects=True)
        assert first.url.path == "/p/demo/"
        for path in paths:
            answer = browser.get(f"{served.address}/p/demo/{path}")
            assert answer.status_code == 200, path


def sign_in(browser: httpx2.Client, link: str) -> None:
    """Makes the first admin by the link that the server printed."""
    assert browser.get(link).status_code == 200
    address, _, token = link.partition("/login?token=")
    password = "correct horse battery"
    form = {"token": token, "name": "ana", "password": password, "repeated": password}
    answer = browser.post(f"{address}/login/first", data=form)
    assert answer.status_code == 303, answer.text


def test_a_second_one_is_refused(home: Path, command: Command) -> None:
    before = rows(home, "select count(*) as deploys from deploys")
    path = str(home / "miniapm.db")
    for arguments, why in (((), "There is a project demo already"), (("--project", "b"), "in use")):
        done = command("demo", "--db", path, *arguments)
        assert (done.code, done.out) == (2, "")
        assert why in done.err
        assert done.err.count("\n") == 1
        assert path in done.err
    assert rows(home, "select count(*) as deploys from deploys") == before


def test_a_database_with_a_key_is_left_alone(miniapm: Command) -> None:
    miniapm("keys", "create", "ci")
    done = miniapm("demo")
    assert (done.code, done.out) == (2, "")
    assert "--db PATH names a new one" in done.err
    assert miniapm.rows("select slug from projects") == [{"slug": "default"}]


def test_a_bad_slug_makes_no_database(command: Command) -> None:
    done = command("demo", "--project", "Not A Slug")
    assert done.code == 2
    assert list(command.home.iterdir()) == []


def test_a_served_database_is_left_alone(command: Command) -> None:
    with serving(command.home, lines=4):
        done = command("demo")
    assert (done.code, done.out) == (3, "")
    assert "A server runs on" in done.err


def test_serve_with_it_leaves_nothing_behind(command: Command) -> None:
    temporary = command.home / "tmp"
    temporary.mkdir()
    with serving(command.home, "--demo", lines=4, TMPDIR=str(temporary)) as served:
        path = Path(served.printed[1].removeprefix("Database: "))
        assert path.parent.parent == temporary
        assert path.exists()
        with httpx2.Client() as browser:
            sign_in(browser, served.printed[3])
            page = browser.get(f"{served.address}/p/demo/deploys")
            assert page.status_code == 200
            assert "regressed" in page.text
        code, _, err = served.stop()
    assert code == 0
    assert "Traceback" not in err
    assert list(temporary.iterdir()) == []
    assert list(command.home.iterdir()) == [temporary]


def test_stopped_while_it_is_made_it_leaves_nothing_behind(command: Command) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "miniapm", "serve", "--demo", "--port", "0"],
        cwd=command.home,
        env={**os.environ, "TMPDIR": str(command.home)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Making a week")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert list(command.home.iterdir()) == []


def test_serve_with_it_wants_no_other_database(command: Command) -> None:
    done = command("serve", "--demo", "--db", "mine.db")
    assert done.code == 2
    assert "--demo" in done.err
    assert list(command.home.iterdir()) == []
