"""Migrations: with their record or not at all, never on a stranger's or a newer file."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from miniapm.exceptions import Busy, Unavailable
from miniapm.storage.connection import (
    APPLICATION_ID,
    Connection,
    file_lock,
    open_connection,
    scalar,
)
from miniapm.storage.migrations import Migration, find_migrations, migrate
from miniapm.storage.once import read_once
from tests.factories import START

FIRST = Migration(
    1,
    "0001_first",
    "create table migrations (version integer primary key, name text, applied_at integer) strict;"
    "create table things (name text) strict; insert into things values ('kept');",
)
SECOND = Migration(2, "0002_second", "alter table things add column size integer;")
BROKEN = Migration(2, "0002_broken", "create table extra (a text) strict; create nonsense;")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "miniapm.db"


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    made = open_connection(path, create=True)
    yield made
    made.close()


def versions(connection: Connection) -> list[int]:
    return [row[0] for row in connection.execute("select version from migrations")]


def test_a_new_file_gets_all_with_their_record(connection: Connection, path: Path) -> None:
    migrate(connection, path, START)
    known = find_migrations()
    rows = connection.execute("select version, name, applied_at from migrations").fetchall()
    assert [tuple(row) for row in rows] == [(m.version, m.name, START) for m in known]
    assert scalar(connection, "pragma application_id") == APPLICATION_ID
    assert scalar(connection, "pragma integrity_check") == "ok"
    assert list(path.parent.glob("*.before-*")) == []


def test_migrations_are_numbered_without_gaps() -> None:
    assert [m.version for m in find_migrations()] == list(range(1, len(find_migrations()) + 1))


def test_migrating_again_changes_nothing(connection: Connection, path: Path) -> None:
    migrate(connection, path, START)
    before = connection.total_changes
    migrate(connection, path, START + 1)
    assert connection.total_changes == before


def test_an_existing_file_is_copied_first(connection: Connection, path: Path) -> None:
    migrate(connection, path, START, [FIRST])
    migrate(connection, path, START, [FIRST, SECOND])
    assert versions(connection) == [1, 2]
    [copy] = path.parent.glob("miniapm.db.before-0002-*")
    assert copy.name == "miniapm.db.before-0002-20251009T085320"
    old = open_connection(copy)
    assert versions(old) == [1]
    assert old.execute("select * from things").fetchall()[0].keys() == ["name"]
    old.close()


def test_a_copy_cut_short_in_the_same_second_is_made_anew(
    connection: Connection, path: Path
) -> None:
    migrate(connection, path, START, [FIRST])
    torn = path.with_name("miniapm.db.before-0002-20251009T085320")
    torn.write_bytes(b"torn")
    migrate(connection, path, START, [FIRST, SECOND])
    assert torn.read_bytes().startswith(b"SQLite format 3")


def test_a_failing_migration_leaves_nothing(connection: Connection, path: Path) -> None:
    migrate(connection, path, START, [FIRST])
    with pytest.raises(Unavailable, match=r"layout 0002_broken.*Nothing was changed"):
        migrate(connection, path, START, [FIRST, BROKEN])
    assert versions(connection) == [1]
    assert scalar(connection, "select count(*) from sqlite_master where name = 'extra'") == 0
    assert not connection.in_transaction
    migrate(connection, path, START, [FIRST, SECOND])
    assert versions(connection) == [1, 2]


def test_a_first_migration_that_fails_leaves_an_empty_file(
    connection: Connection, path: Path
) -> None:
    with pytest.raises(Unavailable):
        migrate(connection, path, START, [BROKEN._replace(version=1)])
    assert scalar(connection, "select count(*) from sqlite_master") == 0
    migrate(connection, path, START)


def test_no_copy_no_migration(connection: Connection, path: Path) -> None:
    migrate(connection, path, START, [FIRST])
    path.with_name("miniapm.db.before-0002-20251009T085320").mkdir()
    with pytest.raises(Unavailable, match=r"copy .* could not be made"):
        migrate(connection, path, START, [FIRST, SECOND])
    assert versions(connection) == [1]


def test_a_newer_file_is_refused_and_untouched(connection: Connection, path: Path) -> None:
    migrate(connection, path, START, [FIRST, SECOND])
    with pytest.raises(Unavailable, match=r"newer miniapm \(layout 2, this one knows up to 1\)"):
        migrate(connection, path, START, [FIRST])
    newer = Migration(99, "0099_later", "create table later (a text) strict;")
    migrate(connection, path, START, [FIRST, SECOND, newer])
    with pytest.raises(Unavailable, match="newer miniapm"):
        read_once(path, versions)


def test_an_older_file_is_not_read_by_commands(connection: Connection, path: Path) -> None:
    with pytest.raises(Unavailable, match="older layout"):
        read_once(path, versions)


@pytest.mark.parametrize("table", ["notes", "migrations"])
def test_somebody_elses_file_is_refused_and_untouched(path: Path, table: str) -> None:
    theirs = sqlite3.connect(path)
    theirs.execute(f"create table {table} (id integer)")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(Unavailable, match="not a miniapm database"):
            open_connection(path, create=create)
    assert path.read_bytes() == before


def test_no_database_at_all_is_refused(path: Path) -> None:
    with pytest.raises(Unavailable, match="There is no database at"):
        open_connection(path)
    path.write_text("not a database, but long enough to look like one " * 20)
    with pytest.raises(Unavailable, match="not a miniapm database"):
        open_connection(path, create=True)


def test_two_servers_that_start_at_once_apply_each_migration_once(path: Path) -> None:
    troubles: list[BaseException] = []

    def start() -> None:
        connection = open_connection(path, create=True)
        try:
            migrate(connection, path, START)
        except BaseException as error:
            troubles.append(error)
        finally:
            connection.close()

    threads = [Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []


def test_a_migration_waits_for_the_lock(
    connection: Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("miniapm.storage.migrations.LOCK_WAIT_SECONDS", 0.05)
    with file_lock(path, 0.0) as held:
        assert held
        with pytest.raises(Busy):
            migrate(connection, path, START)


CRASH = """
import os, signal, sys
from pathlib import Path
from miniapm.storage.connection import open_connection
from miniapm.storage.migrations import Migration, migrate
path = Path(sys.argv[1])
connection = open_connection(path, create=True)
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
sql = "create table extra (a text) strict; insert into extra values (1); select die();"
migrate(connection, path, 1, [Migration(1, "x", ""), Migration(2, "0002_dies", sql)])
"""


def test_a_crash_in_the_middle_is_safe(connection: Connection, path: Path) -> None:
    migrate(connection, path, START, [FIRST])
    connection.close()
    died = subprocess.run(
        [sys.executable, "-c", CRASH, str(path)], env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert died.returncode == -signal.SIGKILL
    again = open_connection(path)
    assert versions(again) == [1]
    assert scalar(again, "select count(*) from sqlite_master where name = 'extra'") == 0
    assert scalar(again, "pragma integrity_check") == "ok"
    migrate(again, path, START, [FIRST, SECOND])
    assert versions(again) == [1, 2]
    again.close()
