"""The lock that says who serves a database, and where."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from miniapm.exceptions import Unavailable
from miniapm.storage.connection import file_lock
from miniapm.storage.server_lock import (
    find_server_address,
    is_served,
    server_lock,
    write_server_address,
)

ADDRESS = "http://127.0.0.1:4321"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "miniapm.db"


def test_only_one_server_has_a_database(path: Path) -> None:
    with (
        server_lock(path),
        pytest.raises(Unavailable, match=r"runs on .* already"),
        server_lock(path),
    ):
        pass


def test_the_address_counts_while_the_lock_is_held(path: Path) -> None:
    assert (is_served(path), find_server_address(path)) == (False, None)
    assert list(path.parent.iterdir()) == []
    with server_lock(path):
        assert (is_served(path), find_server_address(path)) == (True, None)
        write_server_address(path, ADDRESS)
        assert find_server_address(path) == ADDRESS
    assert Path(f"{path}-server").read_text() == f"{ADDRESS}\n"
    assert (is_served(path), find_server_address(path)) == (False, None)
    with server_lock(path):  # what the one before has left is not its own
        assert find_server_address(path) is None


def test_the_address_of_a_killed_server_is_stale(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from miniapm.storage.server_lock import *\n"
        "path = Path(sys.argv[1])\n"
        "with server_lock(path):\n"
        f"    write_server_address(path, {ADDRESS!r}); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n"
        assert find_server_address(path) == ADDRESS
        holder.kill()
        holder.wait(10)
    assert find_server_address(path) is None


def test_a_server_waits_for_who_only_looks(path: Path) -> None:
    with file_lock(path, 0.0, "server"):
        pass
    held = threading.Event()
    done = threading.Event()

    def look() -> None:
        with file_lock(path, 0.0, "server"):
            held.set()
            done.wait(0.2)

    looker = threading.Thread(target=look)
    looker.start()
    assert held.wait(10)
    began = time.monotonic()
    with server_lock(path):
        assert time.monotonic() - began < 1.0
    looker.join()
