"""OpenTelemetry's Python SDK, instrumentations and exporters send a small application's traces."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.e2e.sent_telemetry import read_endpoints, read_errors, read_releases

APPLICATION = Path(__file__).parent / "otel_python_app.py"
SECONDS = 120


@pytest.mark.parametrize("exporter", ["protobuf", "gzip", "json"])
def test_the_python_sdk(real_server: Server, exporter: str) -> None:
    done = subprocess.run(
        [sys.executable, APPLICATION, real_server.url, real_server.make_key(), exporter],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={},
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert "xport" not in done.stderr, done.stderr
    assert read_releases(real_server) == [("carts", "staging", "2026.1")]
    endpoints = read_endpoints(real_server)
    assert {name: found.requests for name, found in endpoints.items()} == {
        "GET /carts/{id}": 3,
        "GET /broken": 1,
    }
    carts, broken = endpoints["GET /carts/{id}"], endpoints["GET /broken"]
    assert (carts.failed, broken.failed) == (0, 1)
    assert (carts.database_count, carts.http_count) == (6, 0)
    assert carts.database_us > 0
    assert read_errors(real_server) == [("KeyError", "'sku'", 1)]
    encoding = "json" if exporter == "json" else "protobuf"
    assert {row["format"] for row in real_server.rows("select format from span_batches")} == {
        encoding
    }
