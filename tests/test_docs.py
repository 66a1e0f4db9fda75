"""The documents say what the program does: made from the code, and run."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from miniapm import __version__
from miniapm.cli import COMMANDS, command_paths
from miniapm.config.fields import setting_fields, variable_of
from miniapm.web.routes import INGEST_ROUTES, ROUTES
from tests.cli.served import Served, serving

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run_docs(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_documents_are_what_the_code_makes_of_them() -> None:
    done = run_docs("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_stale_is_named_and_made_anew(tmp_path: Path) -> None:
    shutil.copy(ROOT / "README.md", tmp_path)
    readme, example = tmp_path / "README.md", tmp_path / "miniapm.toml.example"
    readme.write_text(README.replace("Run the server, everything in one process.", "Serve."))
    done = run_docs("--check", "--root", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "README.md is stale: run scripts/docs.py",
        "miniapm.toml.example is stale: run scripts/docs.py",
    ]
    assert not example.exists()
    assert run_docs("--root", str(tmp_path)).returncode == 0
    assert readme.read_text(encoding="utf-8") == README
    assert example.read_text() == (ROOT / "miniapm.toml.example").read_text()
    assert run_docs("--check", "--root", str(tmp_path)).returncode == 0


def help_of(words: tuple[str, ...]) -> str:
    summary = f"<summary><code>miniapm {' '.join(words)}</code></summary>"
    match = re.search(rf"^{summary}\n\n```text\n(.*?)```", README, re.M | re.S)
    assert match is not None, f"the README has no help of {words}"
    return match[1]


@pytest.mark.parametrize("words", command_paths(), ids=" ".join)
def test_every_command_and_option_has_help(words: tuple[str, ...]) -> None:
    text = help_of(words)
    usage, first, *_ = [line.strip() for line in text.splitlines() if line.strip()]
    assert usage.startswith(f"Usage: miniapm {' '.join(words)} ")
    assert first.endswith(".")
    for line in text.partition("Options:\n")[2].partition("\n\n")[0].splitlines():
        if re.match(r"  -", line):
            described = re.split(r"\s{2,}", line.strip(), maxsplit=1)
            # a long name has its text on the next line
            assert len(described) == 2 or len(line) > 30, line


def test_every_setting_is_in_the_readme() -> None:
    for name in setting_fields():
        assert f"| `{name}` | `{variable_of(name)}` | " in README


def test_every_address_of_the_api_is_in_the_readme() -> None:
    for route in ROUTES:
        if route.path.startswith("/api/v1"):
            assert f"| `{route.method} {route.path}` | " in README
    for ingest in INGEST_ROUTES:
        assert f"`POST {ingest.path}`" in README or f"POST {ingest.path}\n" in README


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^a-z0-9.-]", line)[0] for line in project["dependencies"]}
    section = README.partition("| dependency | why |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| ([a-z0-9.-]+) \|", section, re.M)) == names


def test_every_command_that_the_text_names_exists() -> None:
    named = set(re.findall(r"`(?:\.venv/bin/)?miniapm ([a-z][a-z-]*)", README))
    assert named
    assert named <= set(COMMANDS)


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == __version__


def shell_blocks(heading: str) -> list[str]:
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


def run_blocks(served: Served, where: Path, *blocks: str) -> "subprocess.CompletedProcess[str]":
    """One shell runs them one after the other, against `served`."""
    script = "\n".join(blocks).replace(".venv/bin/miniapm", f"{sys.executable} -m miniapm")
    assert "http://127.0.0.1:3000" in script
    return subprocess.run(
        ["/bin/sh", "-e", "-c", script.replace("http://127.0.0.1:3000", served.address)],
        cwd=where,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_quick_start_works_as_printed(tmp_path: Path, program: Callable[[str], str]) -> None:
    program("curl")
    serve, key, curl = shell_blocks("Start")
    [ask] = shell_blocks("The API")
    assert serve == "scripts/serve\n"
    with serving(tmp_path, lines=4) as served:
        done = run_blocks(served, tmp_path, key, curl, ask)
    assert done.returncode == 0, done.stderr
    status, listed = done.stdout.split("\n", 1)
    assert status == "202"
    assert '"version":"v1.2.3"' in listed.replace(" ", "")
    connection = sqlite3.connect(tmp_path / "miniapm.db")
    rows = connection.execute("select git_sha, version, deployer, env, status from deploys")
    assert rows.fetchall() == [("abc123def456789", "v1.2.3", "me", "production", "succeeded")]
    connection.close()


def test_the_look_whether_telemetry_arrives_works_as_printed(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    program("curl")
    key = shell_blocks("Start")[1]
    section = README.partition("\n### See whether it arrives\n")[2].partition("\n### ")[0]
    curls = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    assert len(curls) == 3
    with serving(tmp_path, lines=4) as served:
        done = run_blocks(served, tmp_path, key, *curls)
        _, out, _ = served.stop()
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["202", "202", "200"], out
    connection = sqlite3.connect(tmp_path / "miniapm.db")
    entries = connection.execute(
        """select n.name, x.duration_us, x.trace_id is not null from entries x
        join endpoints n on n.project_id = x.project_id and n.id = x.endpoint_id order by x.id"""
    )
    assert entries.fetchall() == [("GET /orders/{id}", 41_500, 0), ("GET /orders/{id}", 41_500, 1)]
    groups = connection.execute("select exception_class, culprit from error_groups")
    assert groups.fetchall() == [("KeyError", "app/orders.py in ship")]
    connection.close()
