"""The settings of every connection, the command line's way to write, trouble in our words."""

import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from miniapm.exceptions import Busy, Unavailable
from miniapm.storage.connection import (
    Connection,
    file_lock,
    open_connection,
    scalar,
    translate_error,
)
from miniapm.storage.once import open_writer, read_once, write_once
from miniapm.storage.server_lock import server_lock
from tests.factories import make_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "miniapm.db"
    make_database(made).close()
    return made


def add_project(connection: Connection, slug: str) -> int:
    connection.execute(
        "insert into projects (id, slug, name, created_at) values (:id, :slug, 'x', 1)",
        {"id": len(slug), "slug": slug},
    )
    return int(scalar(connection, "select count(*) from projects"))


def count_projects(connection: Connection) -> int:
    return int(scalar(connection, "select count(*) from projects"))


def test_what_is_committed_is_on_disk(path: Path) -> None:
    connection = open_connection(path)
    settings = {
        name: scalar(connection, f"pragma {name}")
        for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys")
    }
    connection.close()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "wal_autocheckpoint": 0,
        "foreign_keys": 1,
    }


def test_a_command_writes_in_one_transaction(path: Path) -> None:
    assert write_once(path, add_project, "a") == 1
    with pytest.raises(sqlite3.IntegrityError):
        write_once(path, add_project, "a")
    assert read_once(path, count_projects) == 1


def test_a_command_that_reads_cannot_write(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        read_once(path, add_project, "a")


def test_two_commands_take_turns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miniapm.storage.once.LOCK_WAIT_SECONDS", 0.05)
    with file_lock(path, 0.0), pytest.raises(Busy, match="Another command"):
        write_once(path, add_project, "a")
    assert write_once(path, add_project, "a") == 1


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("held", flush=True)
sys.stdin.readline()
connection.execute("commit")
"""


def test_a_command_of_many_writes_leaves_the_file_to_the_server_between_them(path: Path) -> None:
    seen: list[int] = []
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        seen.append(write_once(path, add_project, "others"[: len(rests)]))

    with open_writer(path, rest) as write:
        write(partial(add_project, slug="nobody-else-is-here"))
        assert rests == []
        with server_lock(path):
            for slug in ("somebodys", "somebodys-own"):
                write(partial(add_project, slug=slug))
    assert seen == [3, 5]
    assert all(seconds > 0 for seconds in rests)


def test_a_foreign_lock_is_busy_in_our_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miniapm.storage.connection.LOCK_WAIT_SECONDS", 0.1)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match="in use by another process"):
            write_once(path, add_project, "a")
        holder.communicate(b"\n", timeout=10)
    assert write_once(path, add_project, "a") == 1


def test_a_lock_ends_with_its_process(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from miniapm.storage.connection import file_lock\n"
        "with file_lock(Path(sys.argv[1]), 0.0) as held:\n"
        "    print(held, flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        with file_lock(path, 0.0) as held:
            assert not held
        holder.kill()
        holder.wait(10)
        with file_lock(path, 5.0) as held:
            assert held


def test_a_lock_waits_only_as_long_as_it_was_told(path: Path) -> None:
    with file_lock(path, 0.0):
        began = time.monotonic()
        with file_lock(path, 0.05) as held:
            assert not held
        assert 0.04 < time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_BUSY", "in use by another process"),
        ("SQLITE_BUSY_SNAPSHOT", "in use by another process"),
        ("SQLITE_LOCKED", "in use by another process"),
        ("SQLITE_FULL", "disk is full"),
        ("SQLITE_IOERR_WRITE", "cannot be written now"),
        ("SQLITE_INTERRUPT", "took too long"),
    ],
)
def test_trouble_is_told_in_our_words(name: str, words: str) -> None:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = name
    ours = translate_error(error)
    assert isinstance(ours, Busy)
    assert words in ours.message
    assert "locked" not in ours.message


def test_a_mistake_of_ours_stays_a_mistake() -> None:
    error = sqlite3.OperationalError("no such table")
    error.sqlite_errorname = "SQLITE_ERROR"
    assert translate_error(error) is error


def test_a_lock_is_not_made_where_a_link_leads(tmp_path: Path) -> None:
    path, victim = tmp_path / "new.db", tmp_path / "victim"
    Path(f"{path}-lock").symlink_to(victim)
    with pytest.raises(Unavailable, match="lock cannot be made"), file_lock(path, 0.0):
        pass
    assert not victim.exists()
