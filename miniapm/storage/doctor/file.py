"""What the database file and its surroundings tell: damage, room, permissions, who uses it."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from miniapm.domain.doctor import Finding
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.migrations import require_known

MIB = 1024 * 1024
_LEAST_FREE_BYTES = 256 * MIB
_FULL_BELOW_BYTES = 16 * MIB
_LARGE_WAL_BYTES = 256 * MIB
_WAL_RESET_BUG = ((3, 7, 0), (3, 51, 3))


def examine_file(connection: Connection, path: Path) -> list[Finding]:
    """The findings that are no project's."""
    path = path.resolve()
    return [
        _examine_integrity(connection, path),
        *_examine_contents(connection),
        _examine_log(path),
        _examine_room(path),
        *_examine_permissions(path),
        _examine_library(),
    ]


def lacks_room(free_bytes: int, total_bytes: int) -> bool:
    """Whether so little is free that somebody should look."""
    return free_bytes < max(total_bytes // 20, _LEAST_FREE_BYTES)


def is_disk_full(path: Path) -> bool:
    """Whether so little is free that writes are about to be refused."""
    return shutil.disk_usage(path.resolve().parent).free < _FULL_BELOW_BYTES


def _examine_integrity(connection: Connection, path: Path) -> Finding:
    layout = require_known(connection, path)
    try:
        damage = scalar(connection, "PRAGMA quick_check(1)")
    except sqlite3.DatabaseError as error:
        damage = str(error)
    if damage != "ok":
        return Finding(
            "problem",
            "database",
            f"The database {path} is damaged: {damage}.",
            "Stop the server, keep a copy of the file, and `miniapm restore` the newest backup.",
        )
    size = _size(path.stat().st_size)
    return Finding("ok", "database", f"The database {path} is whole ({size}, layout {layout}).")


def _examine_contents(connection: Connection) -> Iterator[Finding]:
    """Nothing where this SQLite cannot tell, or the file is too damaged."""
    try:
        rows = connection.execute(
            """/* doctor.find_sizes */ select coalesce(m.tbl_name, s.name) as name,
                sum(s.pgsize) as size_bytes
            from dbstat s left join sqlite_master m on m.name = s.name
            where s.aggregate = 1 group by 1 order by 2 desc limit 4"""
        ).fetchall()
    except sqlite3.DatabaseError:
        return
    sizes = ", ".join(f"{row['name']} {_size(row['size_bytes'])}" for row in rows)
    free = scalar(connection, "PRAGMA freelist_count") * scalar(connection, "PRAGMA page_size")
    yield Finding("ok", "database", f"Most of it: {sizes}; free for what comes {_size(free)}.")


def _examine_log(path: Path) -> Finding:
    log = Path(f"{path}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_WAL_BYTES:
        return Finding(
            "problem",
            "write-ahead log",
            f"The write-ahead log has grown to {_size(size)}.",
            "Something reads the database without end: look for a long export or an open sqlite3 "
            "shell.",
        )
    return Finding("ok", "write-ahead log", f"The write-ahead log has {_size(size)}.")


def _examine_room(path: Path) -> Finding:
    usage = shutil.disk_usage(path.parent)
    sentence = f"{_size(usage.free)} of {_size(usage.total)} are free on the disk."
    if lacks_room(usage.free, usage.total):
        return Finding(
            "problem", "disk", sentence, "Free some space: without any, deploys are refused."
        )
    return Finding("ok", "disk", sentence)


def _examine_permissions(path: Path) -> Iterator[Finding]:
    mode = path.stat().st_mode
    shown = f"{stat.S_IMODE(mode):04o}"
    if mode & stat.S_IWOTH:
        yield Finding(
            "problem",
            "permissions",
            f"Anybody on this machine may change the database (mode {shown}).",
            f"chmod 600 {path}",
        )
    elif mode & stat.S_IROTH:
        yield Finding(
            "note",
            "permissions",
            f"Anybody on this machine may read the database (mode {shown}).",
            f"chmod 600 {path}",
        )
    files = [one for end in ("", "-wal", "-shm") if (one := Path(f"{path}{end}")).exists()]
    owners = {one.stat().st_uid for one in files}
    if len(owners) > 1:
        yield Finding(
            "problem",
            "permissions",
            "The database and its -wal and -shm files have different owners.",
            f"chown them all to who runs the server; `ls -l {path}*` shows them.",
        )
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        yield Finding(
            "problem",
            "permissions",
            f"This user may not write to {path} or its directory.",
            "Run the command as the user who runs the server.",
        )


def _examine_library() -> Finding:
    first, fixed = _WAL_RESET_BUG
    if first <= sqlite3.sqlite_version_info < fixed:
        return Finding(
            "note",
            "sqlite",
            f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug (fixed in 3.51.3). miniapm "
            "keeps clear of it.",
            "Let no other program write to the database while a server runs.",
        )
    return Finding("ok", "sqlite", f"SQLite is {sqlite3.sqlite_version}.")


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
