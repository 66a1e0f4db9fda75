"""The frame: common options, exit codes, one line of error."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from miniapm import __version__
from miniapm.cli import COMMANDS
from tests.cli.conftest import Command
from tests.cli.terminal import run_in_terminal


@pytest.mark.parametrize(
    "arguments",
    [
        ("--db", "other.db", "keys", "list"),
        ("--db=other.db", "keys", "list"),
        ("keys", "--db", "other.db", "list"),
        ("keys", "list", "--db", "other.db"),
        ("keys", "list", "--db=other.db"),
        ("--db", "wrong.db", "keys", "list", "--db", "other.db"),
    ],
)
def test_the_database_is_named_before_or_after_the_command(
    miniapm: Command, make_database: Callable[[Path], None], arguments: tuple[str, ...]
) -> None:
    make_database(miniapm.home / "other.db")
    assert miniapm("keys", "create", "there", "--db", "other.db").code == 0
    done = miniapm(*arguments)
    assert done.code == 0
    assert "there" in done.out
    assert "there" not in miniapm("keys", "list").out


def test_the_settings_file_is_named_before_or_after_the_command(
    command: Command, make_database: Callable[[Path], None]
) -> None:
    make_database(command.home / "other.db")
    (command.home / "my.toml").write_text('[storage]\npath = "other.db"\n')
    assert command("--config", "my.toml", "projects", "list").code == 0
    assert command("projects", "list", "--config=my.toml").code == 0
    assert command("projects", "list", MINIAPM_CONFIG="my.toml").code == 0
    assert command("projects", "list", MINIAPM_DB="other.db").code == 0
    assert command("projects", "list").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "ci"),
        ("keys", "list"),
        ("keys", "revoke", "1"),
        ("keys", "rotate", "1"),
        ("projects", "create", "x"),
        ("projects", "list"),
        ("projects", "rename", "x", "y"),
        ("projects", "delete", "x"),
        ("users", "create", "ann"),
        ("users", "list"),
        ("users", "passwd", "ann"),
        ("users", "delete", "ann"),
        ("login-link",),
    ],
)
def test_without_a_database_it_names_the_path_it_looked_for(
    command: Command, arguments: tuple[str, ...]
) -> None:
    done = command(*arguments, "--db", "gone.db", stdin="long enough 1\n")
    assert (done.code, done.out) == (3, "")
    assert str(command.home / "gone.db") in done.err
    assert done.err.startswith("miniapm: ")
    assert done.err.count("\n") == 1
    assert list(command.home.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("keyz",), "Did you mean 'keys'? See miniapm --help."),
        (("helo",), "miniapm: No such command 'helo'. See miniapm --help."),
        (("keys", "creat"), "Did you mean 'create'? See miniapm keys --help."),
        (("keys", "list", "--jason"), "--json). See miniapm keys list --help."),
        (("keys", "create"), "Missing argument 'NAME'. See miniapm keys create --help."),
        (("keys", "list", "extra"), "See miniapm keys list --help."),
        (("--db",), "See miniapm --help."),
        (("deploy", "--env"), "See miniapm deploy --help."),
        (("deploys", "list", "--env"), "See miniapm deploys list --help."),
        (("--db", "", "keys", "list"), "--db: is empty"),
        (("serve", "--port", "many"), "See miniapm serve --help."),
        (("serve", "--port", "70000"), "--port is bad: must be a whole number <= 65535"),
        (("users", "create", "a", "--role", "chief"), "'viewer', 'member', 'admin'"),
    ],
)
def test_wrong_use_is_one_line_that_says_where_help_is(
    miniapm: Command, arguments: tuple[str, ...], expected: str
) -> None:
    done = miniapm(*arguments)
    assert (done.code, done.out) == (2, "")
    assert expected in done.err
    assert done.err.startswith("miniapm: ")
    assert done.err.count("\n") == 1


def test_a_bad_setting_stops_every_command_with_one_line(miniapm: Command) -> None:
    done = miniapm("keys", "list", MINIAPM_SERVER_PRT="1")
    assert done.code == 2
    assert done.err.startswith("miniapm: MINIAPM_SERVER_PRT in the environment is no setting")
    assert done.err.count("\n") == 1


def test_a_noun_without_a_verb_shows_its_help_and_is_wrong_use(command: Command) -> None:
    done = command("keys")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: miniapm keys ")
    assert command().code == 2


def test_version_and_help(command: Command) -> None:
    assert command("--version").out == f"miniapm {__version__}\n"
    done = command("--help")
    assert done.code == 0
    listed = done.out[done.out.index("Commands:") :]
    assert [line.split()[0] for line in listed.splitlines()[1:] if line] == list(COMMANDS)
    assert "..." not in listed


def test_a_file_that_is_no_database_is_one_line(command: Command) -> None:
    (command.home / "miniapm.db").write_text("something else " * 100)
    done = command("keys", "list")
    assert done.code == 3
    assert "is not a miniapm database" in done.err
    assert done.err.count("\n") == 1


def test_a_damaged_database_is_one_line(miniapm: Command) -> None:
    [table] = miniapm.rows("select rootpage from sqlite_master where name = 'projects'")
    with (miniapm.home / "miniapm.db").open("r+b") as file:
        file.seek((table["rootpage"] - 1) * 4096)
        file.write(b"\xff" * 4096)
    done = miniapm("projects", "list")
    assert done.code == 3
    assert "is damaged" in done.err
    assert done.err.count("\n") == 1


def start(
    where: Path, *arguments: str, stdout: int | IO[str], env: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "miniapm", *arguments]
    return subprocess.Popen(
        command, cwd=where, text=True, stdout=stdout, stderr=subprocess.PIPE, env=env
    )


def test_a_reader_that_leaves_is_no_error(miniapm: Command) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start(miniapm.home, "projects", "list", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_ctrl_c_at_a_question_is_no_traceback(miniapm: Command) -> None:
    for arguments, question in [
        (("projects", "delete", "default"), "[y/N]"),
        (("users", "create", "ann"), "Password for ann: "),
    ]:
        code, screen = run_in_terminal(miniapm.home, *arguments, typed={question: None})
        assert code == 130
        assert "Traceback" not in screen
    assert miniapm.rows("select count(*) as n from projects") == [{"n": 1}]


def test_a_full_disk_is_one_line(miniapm: Command) -> None:
    with open("/dev/full", "w") as full:
        process = start(miniapm.home, "projects", "list", stdout=full)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (3, "miniapm: No space left on device.\n")


def test_a_terminal_without_unicode_gets_escapes(miniapm: Command) -> None:
    miniapm("projects", "rename", "default", "Läden")
    process = start(
        miniapm.home,
        "projects",
        "list",
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "L\\xe4den" in out


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["keys", "create", "ci"], ["starlette", "uvicorn", "jinja2", "argon2", "aiosqlite"]),
        (["login-link"], ["starlette", "uvicorn", "jinja2", "argon2.low_level", "aiosqlite"]),
        (["deploy", "--help"], ["msgspec", "sqlite3", "tomllib", "miniapm.config.loading"]),
    ],
)
def test_a_command_imports_only_what_it_needs(
    miniapm: Command, arguments: list[str], unwanted: list[str]
) -> None:
    script = f"import sys; from miniapm.cli import run; run({arguments!r}); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=miniapm.home, capture_output=True, text=True, check=True
    )
    assert set(unwanted) & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    "arguments",
    [("keys", "list"), ("serve", "--port", "0"), ("demo",), ("restore", "source.db", "--yes")],
)
def test_what_is_no_regular_file_is_no_database(
    command: Command, make_database: Callable[[Path], None], arguments: tuple[str, ...]
) -> None:
    make_database(command.home / "source.db")
    os.mkfifo(command.home / "pipe")
    before = sorted(command.home.iterdir())
    done = command(*arguments, "--db", "pipe")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"miniapm: {command.home}/pipe is no regular file, so it can be no database; "
        "name another.\n"
    )
    assert sorted(command.home.iterdir()) == before


@pytest.mark.parametrize("arguments", [("keys", "list"), ("serve", "--port", "0")])
def test_a_directory_is_no_database(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments, "--db", str(command.home))
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"miniapm: {command.home} is a directory; name a file in it, such as "
        f"{command.home}/miniapm.db.\n"
    )
