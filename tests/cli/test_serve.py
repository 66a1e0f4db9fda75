"""`miniapm serve` as a process: what it prints, refuses, and how it ends."""

import json
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from miniapm.clock import MINUTE, now
from miniapm.domain.tokens import hash_token
from tests.cli.conftest import Command
from tests.cli.served import refused, serving

PASSWORD = "correct horse battery"


def test_it_prints_address_database_and_a_link_for_the_first_admin(command: Command) -> None:
    with serving(command.home, lines=4) as served:
        with urllib.request.urlopen(f"{served.address}/health") as answer:
            assert json.load(answer)["status"] == "ok"
        assert served.printed[1] == f"Database: {command.home / 'miniapm.db'}"
        link = urlsplit(served.printed[3])
        assert f"{link.scheme}://{link.netloc}{link.path}" == f"{served.address}/login"
        [row] = command.rows("select * from login_links")
        [token] = parse_qs(link.query)["token"]
        assert (row["hash"], row["user_id"]) == (hash_token(token), None)
        assert row["created_at"] + 15 * MINUTE == row["expires_at"] <= now() + 15 * MINUTE
        code, out, err = served.stop()
    assert (code, out) == (0, "")
    first, last = err.splitlines()
    assert f"serving {served.address} from {command.home / 'miniapm.db'}" in first
    assert last.endswith("stopped")
    assert token not in err
    assert command.rows("select slug, name from projects") == [
        {"slug": "default", "name": "Default"}
    ]


def test_with_an_account_it_prints_no_link(miniapm: Command) -> None:
    miniapm("users", "create", "ann", stdin=PASSWORD)
    with serving(miniapm.home) as served:
        assert served.stop()[1] == ""
    assert miniapm.rows("select * from login_links") == []


def test_the_link_has_the_public_address(command: Command) -> None:
    public = "https://apm.example.com"
    with serving(command.home, lines=4, MINIAPM_SERVER_PUBLIC_URL=public) as served:
        assert served.printed[0] == f"miniapm serves {public}"
        assert served.printed[3].startswith(f"{public}/login?token=")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_order(command: Command, number: int) -> None:
    with serving(command.home, lines=4) as served:
        code, _, err = served.stop(number)
    assert code == 0
    assert "Traceback" not in err
    assert not (command.home / "miniapm.db-wal").exists()


def test_the_database_is_for_its_owner_alone(command: Command) -> None:
    with serving(command.home, lines=4):
        for file in command.home.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_a_second_server_on_the_same_file_is_refused(command: Command) -> None:
    (command.home / "link.db").symlink_to("miniapm.db")
    with serving(command.home, lines=4) as served:
        for name in ("miniapm.db", "link.db"):
            code, out, err = refused(command.home, "--port", "0", "--db", name)
            assert (code, out) == (3, "")
            assert f"A server runs on {command.home / name} already" in err
            assert err.count("\n") == 1
        with urllib.request.urlopen(f"{served.address}/health") as answer:
            assert answer.status == 200


def test_after_kill_9_the_next_server_starts(command: Command) -> None:
    with serving(command.home, lines=4) as served:
        served.stop(signal.SIGKILL)
    with serving(command.home, lines=4) as served:
        assert served.stop()[0] == 0


def test_a_port_in_use_is_one_line(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = refused(command.home, "--port", str(port))
    assert (code, out) == (3, "")
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use." in err
    assert "--port N takes another one" in err
    assert err.count("\n") == 1
    assert not (command.home / "miniapm.db").exists()


@pytest.mark.parametrize(
    ("arguments", "environ", "expected", "code"),
    [
        ((), {"MINIAPM_SERVER_PORT": "many"}, "MINIAPM_SERVER_PORT is bad", 2),
        ((), {"MINIAPM_LOG_LEVEL": "loud"}, "debug, info, warning, error", 2),
        (("--config", "gone.toml"), {}, "There is no settings file", 2),
        (("--host", "no such host"), {}, "--host is bad", 2),
        (("--db", "gone/x.db"), {}, "cannot be made: No such file or directory", 3),
        (("--host", "192.0.2.1"), {}, "Cannot listen on 192.0.2.1", 3),
    ],
)
def test_what_stops_the_start_is_one_line(
    command: Command, arguments: tuple[str, ...], environ: dict[str, str], expected: str, code: int
) -> None:
    found, out, err = refused(command.home, "--port", "0", *arguments, **environ)
    assert (found, out) == (code, "")
    assert expected in err
    assert err.count("\n") == 1


def test_the_log_can_be_json(command: Command) -> None:
    with serving(command.home, lines=4, MINIAPM_LOG_FORMAT="json") as served:
        _, _, err = served.stop()
    assert [json.loads(line)["level"] for line in err.splitlines()] == ["info", "info"]


FAILED_START = """
import signal, sys
from miniapm.cli.serve import serve
from miniapm.exceptions import Unavailable
try:
    serve(port=int(sys.argv[1]), db="miniapm.db")
except Unavailable:
    print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGTERM))
"""


def test_a_start_that_failed_leaves_signals_as_they_were(command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-c", FAILED_START, str(taken.getsockname()[1])],
            cwd=command.home,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == f"set() {signal.SIG_DFL}\n"
