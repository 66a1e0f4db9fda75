"""OpenTelemetry's JavaScript SDK, as npm has it, sends the traces of a small application."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.e2e.sent_telemetry import read_endpoints, read_errors, read_releases

APPLICATION = Path(__file__).parent / "otel_js"
SECONDS = 180


def install(npm: str) -> Path:
    """The application with its packages, installed once per lock file and machine."""
    lock = (APPLICATION / "package-lock.json").read_bytes()
    name = f"miniapm-otel-js-{os.getuid()}-{hashlib.sha256(lock).hexdigest()[:12]}"
    place = Path(tempfile.gettempdir()) / name
    place.mkdir(mode=0o700, exist_ok=True)
    with (place / ".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for file in APPLICATION.iterdir():
            if file.is_file():
                shutil.copy(file, place)
        if not (place / ".installed").exists():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=place, capture_output=True, text=True, timeout=SECONDS
            )
            assert done.returncode == 0, done.stderr
            (place / ".installed").touch()
    return place


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_javascript_sdk(
    real_server: Server, program: Callable[[str], str], protocol: str, compression: str
) -> None:
    node, npm = program("node"), program("npm")
    place = install(npm)
    done = subprocess.run(
        [node, "app.js"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={
            "PATH": os.environ["PATH"],
            "OTEL_SERVICE_NAME": "prices",
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=7,deployment.environment.name=qa",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{real_server.url}/ingest",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {real_server.make_key()}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        },
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert read_releases(real_server) == [("prices", "qa", "7")]
    endpoints = read_endpoints(real_server)
    assert {name: found.requests for name, found in endpoints.items()} == {
        "GET /carts/{id}": 3,
        "GET /prices": 3,
        "GET /broken": 1,
    }
    assert endpoints["GET /broken"].failed == 1
    assert endpoints["GET /carts/{id}"].failed == 0
    assert endpoints["GET /carts/{id}"].http_count == 3
    assert endpoints["GET /carts/{id}"].http_us > 0
    message = "Cannot read properties of undefined (reading 'total')"
    assert read_errors(real_server) == [("TypeError", message, 1)]
    formats = {row["format"] for row in real_server.rows("select format from span_batches")}
    assert formats == {protocol.removeprefix("http/")}
