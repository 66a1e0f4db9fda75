"""From a real exporter to the exit code: did this deploy make it slower?"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from miniapm import clock
from miniapm.clock import MINUTE, SECOND, to_rfc3339
from tests.conftest import Server

APPLICATION = Path(__file__).parent / "otel_backdated_app.py"
SHA = "4f2a91c0de5b8e7f6a1b2c3d4e5f60718293a4b5"
SECONDS = 180


def run(*command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def send_two_days(server: Server, key: str, factor: float, versions: str) -> int:
    """Telemetry until now; the instant of the deploy in it, 75 minutes before the end."""
    until = clock.now() // MINUTE * MINUTE
    deployed_at = until - 75 * MINUTE
    times = (str(until // SECOND), str(deployed_at // SECOND))
    done = run(str(APPLICATION), server.url, key, *times, str(factor), versions)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert "xport" not in done.stderr, done.stderr
    [sent] = server.rows("select count(*) as n from entries")
    assert sent["n"] == 2 * 24 * 60 * 12
    return deployed_at


@pytest.mark.slow
@pytest.mark.parametrize("versions", ["-,-", "v1,v2"], ids=["unversioned", "versioned"])
@pytest.mark.parametrize(
    ("factor", "verdict", "code"), [(2.5, "regressed", 1), (1.0, "unchanged", 0)]
)
def test_two_days_and_a_deploy(
    real_server: Server, factor: float, verdict: str, code: int, versions: str
) -> None:
    key = real_server.make_key()
    deployed_at = send_two_days(real_server, key, factor, versions)
    settings = {"MINIAPM_URL": real_server.url, "MINIAPM_API_KEY": key}
    version = () if versions == "-,-" else ("--version", "v2")
    recorded = run(
        *("-m", "miniapm", "deploy", "--strict", "--sha", SHA, "--service", "shop", *version),
        *("--env", "production", "--timestamp", to_rfc3339(deployed_at)),
        **settings,
    )
    assert recorded.returncode == 0, recorded.stderr

    arguments = ("-m", "miniapm", "check", "--sha", SHA, "--env", "production")
    checked = run(*arguments, "--wait", "60s", **settings)
    assert checked.returncode == code, checked.stdout + checked.stderr
    assert checked.stdout.startswith(f"{verdict}: ")
    assert ("POST /checkout" in checked.stdout) is (verdict == "regressed")
    assert "GET /carts" not in checked.stdout

    told = json.loads(run(*arguments, "--wait", "0", "--json", **settings).stdout)
    assert (told["state"], told["verdict"], told["learning"]) == ("final", verdict, False)
    endpoints = {one["name"]: one["verdict"] for one in told["endpoints"]}
    assert endpoints == {"POST /checkout": verdict, "GET /carts/{id}": "unchanged"}
    [row] = real_server.rows("select state, verdict from impacts where deploy_id = "
                             "(select id from deploys where git_sha = :sha)", sha=SHA)  # fmt: skip
    assert row == {"state": "final", "verdict": verdict}
