"""The README's sections on the past and on the doctor: every command in them is run."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client.git_repository import GitRepository
from tests.factories import read_rows

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
API = "https://api.github.com/repos/acme/shop/deployments"
DEPLOYMENTS = [
    {
        "url": f"{API}/{number}",
        "id": number,
        "sha": f"{number}" * 40,
        "environment": "production",
        "created_at": f"2024-02-0{number}T10:00:00Z",
        "statuses_url": f"{API}/{number}/statuses",
    }
    for number in (1, 2)
]
STATUSES = {
    1: [{"state": "success", "created_at": "2024-02-01T10:05:00Z"}],
    2: [{"state": "failure", "created_at": "2024-02-02T10:05:00Z"}],
}
# what GitHub's own program prints for these addresses
GH = """\
#!/bin/sh
for last; do :; done
case "$*" in
  *statuses_url*) printf '%s\\n' {urls} ;;
  *deployments/*) cat "$GH_FILES/${{last##*deployments/}}" ;;
  *) cat "$GH_FILES/deployments" ;;
esac
"""


def snippets(title: str) -> list[str]:
    section = README.partition(f"\n### {title}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


@pytest.fixture
def home(tmp_path: Path, make_database: Any) -> Path:
    home = tmp_path / "shop"
    home.mkdir()
    make_database(home / "miniapm.db")
    return home


def run(home: Path, snippet: str, **environ: str) -> str:
    programs = home.parent / "programs"
    programs.mkdir(exist_ok=True)
    gh = programs / "gh"
    gh.write_text(GH.format(urls=" ".join(str(one["statuses_url"]) for one in DEPLOYMENTS)))
    gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
    for number, statuses in STATUSES.items():
        (programs / str(number)).mkdir(exist_ok=True)
        told = [{**one, "deployment_url": f"{API}/{number}"} for one in statuses]
        (programs / str(number) / "statuses").write_text(json.dumps(told))
    (programs / "deployments").write_text(json.dumps(DEPLOYMENTS))
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", snippet],
        cwd=home,
        env={"PATH": path, "HOME": str(home.parent), "GH_FILES": str(programs), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    return done.stdout


def rows(home: Path, sql: str) -> list[dict[str, Any]]:
    return read_rows(home / "miniapm.db", sql)


def test_every_snippet_about_the_past_does_what_it_says(home: Path) -> None:
    repository = GitRepository(home)
    shas = []
    for number in range(3):
        shas.append(repository.commit(f"change {number}"))
        repository.git("tag", f"v{number}")
    (home / "revisions.log").write_text(
        f"Branch main (at {shas[0]}) deployed as release 20240115143000 by ann\n"
    )
    tags, capistrano, github, table, commits, export = snippets("Bring in the past")
    assert "Tried only, nothing is stored. 3 lines: 3 new" in run(home, tags)
    found = rows(home, "select version, git_sha from deploys order by version")
    assert found == [{"version": f"v{n}", "git_sha": sha} for n, sha in enumerate(shas)]
    assert "1 new" in run(home, capistrano)
    assert "2 new, 0 already there, 0 refused" in run(home, github)
    found = rows(home, "select status from deploys where sources = 'github' order by git_sha")
    assert [one["status"] for one in found] == ["succeeded", "failed"]
    assert "2 new" in run(home, table)
    assert rows(home, "select tag from deploy_tags") == [{"tag": "is_fix"}]
    assert "3 commits: 3 new" in run(home, commits)
    total = len(rows(home, "select id from deploys"))
    assert f"{total} lines: 0 new, {total} already there" in run(home, export)


def test_the_doctor_tells_what_the_readme_shows(home: Path) -> None:
    (home / "past.csv").write_text(
        "git_sha,timestamp,version,env,service\n"
        "b71e7c4,2024-01-16 09:12:00 +0100,v1.4.1,staging,shop\n"
    )
    run(home, "miniapm deploys import past.csv")
    [snippet] = snippets("Why is my deploy not there?")
    told = run(home, snippet)
    [shown] = re.findall(r"^```text\n(ok .*?)^```$", README, re.M | re.S)
    [deploy] = rows(home, "select id from deploys")
    for line in shown.splitlines():
        assert line.replace("473829104756293632", str(deploy["id"])) in told.splitlines()


def test_the_command_shows_what_it_would_send(home: Path) -> None:
    head = GitRepository(home).commit("one")
    [snippet] = snippets("The command `miniapm deploy`")
    assert json.loads(run(home, snippet))["git_sha"] == head
