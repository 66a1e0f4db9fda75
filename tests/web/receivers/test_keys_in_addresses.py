"""Keys in addresses: taken from senders that can do nothing else, and written down nowhere."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx2

from miniapm.domain.keys import make_secret
from tests import factories
from tests.cli.served import serving
from tests.conftest import Server
from tests.web.receivers.client_calls import CALLS, find_call

IN_ADDRESS = ("airbrake npm", "appsignal gem", "appsignal api")
NAMES = ("key", "api_key", "apiKey", "access_token", "token", "routing_key", "DD-API-KEY")


def test_nobody_else_may(server: Server) -> None:
    key = server.make_key()
    query = "&".join(f"{name}={key}" for name in NAMES)
    for call in CALLS:
        assert ("KEY" in call.path) == (call.name in IN_ADDRESS)
        if call.name not in IN_ADDRESS:
            answer = replace(call, path=f"{call.path}?{query}").send(server, "")
            assert answer.status_code == 401, call.name
    assert server.rows("select id from deploys") == []


def test_they_are_written_down_nowhere(tmp_path: Path) -> None:
    database = tmp_path / "miniapm.db"
    with serving(tmp_path, "--db", str(database), MINIAPM_LOG_LEVEL="debug") as served:
        made = subprocess.run(
            [sys.executable, "-m", "miniapm", "keys", "create", "ci", "--db", str(database)],
            check=True,
            capture_output=True,
            text=True,
        )
        good, bad = made.stdout.strip(), make_secret()
        statuses = []
        with httpx2.Client(base_url=served.address) as http:
            for name in IN_ADDRESS:
                call = find_call(name)
                for key in (good, bad):
                    path = call.path.replace("KEY", key)
                    for method, address in (
                        ("POST", path),
                        ("DELETE", path),
                        ("POST", f"/x{path}"),
                    ):
                        headers = {"Content-Type": call.content_type}
                        answer = http.request(
                            method, address, content=call.content, headers=headers
                        )
                        assert key not in answer.text
                        statuses.append(answer.status_code)
                    answer = http.post(path, content="{", headers={"Referer": path})
                    assert key not in answer.text
                    statuses.append(answer.status_code)
        code, out, err = served.stop()
    assert code == 0
    assert {200, 201, 400, 401, 404, 405} == set(statuses)
    assert len(factories.read_rows(database, "select id from deploys")) == len(IN_ADDRESS)
    assert len(factories.read_rows(database, "select id from refusals")) == 3 * len(IN_ADDRESS)
    assert "serving" in err
    files = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    for key in (good, bad):
        assert key not in out + err
        assert not any(key.encode() in content for content in files)
