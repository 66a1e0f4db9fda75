"""Copies of the database: consistent, checked, whole under their name or not there at all."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from miniapm.clock import DAY
from miniapm.domain.ids import IdMaker
from miniapm.exceptions import Conflict, Invalid, Unavailable
from miniapm.storage.backup import back_up
from miniapm.storage.connection import (
    APPLICATION_ID,
    file_lock,
    open_connection,
    transaction,
)
from miniapm.storage.copies import check_copy
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.migrations import migrate
from miniapm.storage.projects import Project, insert_project
from miniapm.storage.restore import restore
from miniapm.storage.server_lock import server_lock
from tests.conftest import FakeClock
from tests.factories import START, make_deploy


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One project, two deploys with tags, a user who is signed in."""
    path = tmp_path / "miniapm.db"
    fill(path, 2)
    return path


def fill(path: Path, deploys: int) -> None:
    connection = open_connection(path, create=True)
    migrate(connection, path, START)
    make_id = IdMaker(lambda: START)
    with transaction(connection):
        insert_project(connection, Project(1, "default", "Default", START))
        for i in range(deploys):
            insert_row(connection, make_deploy(id=make_id(), deployed_at=START + i, tags=("a",)))
        connection.execute("insert into users values (5, 'ann', 'hash', 'admin', 1)")
        connection.execute("insert into sessions values (x'01', 5, 1, 1, 9)")
        connection.execute("insert into login_links values (x'02', 5, 1, 9)")
    connection.close()


def count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])
    finally:
        connection.close()


def names(home: Path, start: str) -> list[str]:
    return sorted(one.name for one in home.glob(f"{start}*"))


def test_a_copy_holds_everything_and_only_its_owner_reads_it(database: Path) -> None:
    target = database.with_name("copy.db")
    copy = back_up(database, target)
    assert (copy.path, copy.size_bytes) == (target, target.stat().st_size)
    assert {n: copy.rows[n] for n in ("deploys", "deploy_tags", "users", "sessions")} == {
        "deploys": 2,
        "deploy_tags": 2,
        "users": 1,
        "sessions": 1,
    }
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(target.parent, "copy") == ["copy.db"]
    assert check_copy(target) == copy
    connection = sqlite3.connect(target)
    assert connection.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
    connection.close()


def test_a_copy_is_one_moment_while_somebody_writes(database: Path) -> None:
    connection = open_connection(database)
    connection.execute("begin immediate")
    insert_row(connection, make_deploy(id=9, deployed_at=START + 9))
    copy = back_up(database, database.with_name("copy.db"))
    connection.execute("commit")
    connection.close()
    assert copy.rows["deploys"] == 2
    assert count(database, "deploys") == 3


def test_a_copy_replaces_whole_and_keeps_the_old_one_when_it_fails(database: Path) -> None:
    target = database.with_name("copy.db")
    target.write_bytes(b"old")
    damaged = database.with_name("damaged.db")
    shutil.copy(database, damaged)
    damage(damaged)
    with pytest.raises(Unavailable, match="was not kept"):
        back_up(damaged, target)
    assert target.read_bytes() == b"old"
    assert names(target.parent, "copy") == ["copy.db"]
    back_up(database, target)
    assert check_copy(target).rows["deploys"] == 2


def damage(path: Path) -> None:
    """Makes a deploy belong to a project that there is not."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("update deploys set project_id = 77")
    connection.close()


def test_a_copy_never_takes_the_place_of_the_database(database: Path) -> None:
    link, hard = database.with_name("link.db"), database.with_name("hard.db")
    link.symlink_to(database)
    os.link(database, hard)
    for target in (database, link, hard, Path(f"{database}-wal"), Path(f"{database}-lock")):
        with pytest.raises(Invalid, match="is the database itself"):
            back_up(database, target)
    with pytest.raises(Invalid, match="is a directory"):
        back_up(database, database.parent)
    with pytest.raises(Invalid, match="There is no directory"):
        back_up(database, database.parent / "no" / "copy.db")
    assert count(database, "deploys") == 2


def test_restore_keeps_the_old_and_drops_what_signs_people_in(
    database: Path, clock: FakeClock
) -> None:
    copy = database.with_name("copy.db")
    back_up(database, copy)
    connection = open_connection(database)
    insert_row(connection, make_deploy(id=9, deployed_at=START + 9))
    database.chmod(0o640)
    # a log that was left behind must not meet the new file
    shutil.copy(f"{database}-wal", database.with_name("left"))
    connection.close()
    shutil.copy(database.with_name("left"), f"{database}-wal")
    restored = restore(database, copy, clock)
    assert restored.kept is not None
    assert count(restored.kept, "deploys") == 3
    assert count(restored.kept, "sessions") == 1
    assert {t: count(database, t) for t in ("deploys", "sessions", "login_links", "users")} == {
        "deploys": 2,
        "sessions": 0,
        "login_links": 0,
        "users": 1,
    }
    assert database.stat().st_mode & 0o777 == 0o640
    assert names(database.parent, "miniapm.db-wal") == []
    assert names(database.parent, "miniapm.db.restore") == []
    assert check_copy(copy).rows["sessions"] == 1


def test_restore_makes_a_database_where_there_was_none(database: Path, clock: FakeClock) -> None:
    fresh = database.with_name("fresh.db")
    restored = restore(fresh, database, clock)
    assert (restored.kept, restored.copy.path, restored.copy.rows["deploys"]) == (None, fresh, 2)
    assert fresh.stat().st_mode & 0o777 == 0o600


def test_restore_reads_what_stands_in_the_log_of_its_source(
    database: Path, clock: FakeClock
) -> None:
    """Somebody copied the files of a running server, as files."""
    connection = open_connection(database)
    insert_row(connection, make_deploy(id=9, deployed_at=START + 9))
    source = database.with_name("source.db")
    shutil.copy(database, source)
    shutil.copy(f"{database}-wal", f"{source}-wal")
    connection.close()
    assert restore(database.with_name("x.db"), source, clock).copy.rows["deploys"] == 3


def test_restore_replaces_even_a_damaged_database(database: Path, clock: FakeClock) -> None:
    broken = database.with_name("broken.db")
    broken.write_bytes(b"no database at all")
    Path(f"{broken}-wal").write_bytes(b"rubbish")
    kept = restore(broken, database, clock).kept
    assert kept is not None
    assert kept.read_bytes() == b"no database at all"
    assert Path(f"{kept}-wal").read_bytes() == b"rubbish"
    assert check_copy(broken).rows["deploys"] == 2


def test_restore_refuses_what_is_no_backup(
    database: Path, tmp_path: Path, clock: FakeClock
) -> None:
    bad = tmp_path / "bad"
    before = database.read_bytes()

    def refused(expected: str) -> None:
        with pytest.raises(Invalid, match=expected):
            restore(database, bad, clock)

    bad.write_bytes(b"hello " * 500)
    refused("is no healthy miniapm database: file is not a database")
    bad.write_bytes(b"")
    refused("is not a miniapm database")
    shutil.copy(database, bad)
    damage(bad)
    refused("refer to rows that are not there")
    bad.write_bytes(before[: len(before) // 2])
    refused("malformed|damaged")
    shutil.copy(database, bad)
    connection = sqlite3.connect(bad, isolation_level=None)
    connection.execute("insert into migrations values (9999, 'later', 1)")
    connection.close()
    refused("newer miniapm")
    with pytest.raises(Unavailable, match="There is no file"):
        restore(database, tmp_path / "nothing", clock)
    with pytest.raises(Invalid, match="is the database itself"):
        restore(database, database, clock)
    assert database.read_bytes() == before
    assert names(tmp_path, "miniapm.db.") == []


def test_restore_waits_for_nobody(database: Path, clock: FakeClock) -> None:
    copy = database.with_name("copy.db")
    back_up(database, copy)
    with server_lock(database), pytest.raises(Unavailable, match="A server runs on"):
        restore(database, copy, clock)
    restore(database, copy, clock)
    with pytest.raises(Conflict, match="try again in a second"):
        restore(database, copy, clock)
    clock.move(DAY)
    assert restore(database, copy, clock).kept is not None
    assert names(database.parent, "miniapm.db.restore") == []
    with file_lock(database, 0.0) as held:
        assert held
