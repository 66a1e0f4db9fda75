"""wrk, the compiled load generator: posts that all differ, and what it saw."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}

_SCRIPT = """
local count, run = 0, "{run}"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
function request()
  count = count + 1
  local sha = string.format("%s%032d", run, count)
  return wrk.format(nil, nil, nil, '{{"git_sha":"' .. sha .. '","version":"v1.2.' .. count ..
    '","deployer":"github-actions","env":"production"}}')
end
function done(summary, latency, requests)
  io.write(string.format("errors %d\\n", summary.errors.status + summary.errors.connect +
    summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw. Latencies in ms."""

    per_second: float
    p50: float
    p99: float
    errors: int


def post_deploys(
    address: str, key: str, run: str, *, connections: int, seconds: int, directory: Path
) -> Load:
    """Posts deploys of ever new shas; `run` (8 hex digits) keeps the runs apart."""
    script = directory / "post.lua"
    script.write_text(_SCRIPT.format(run=run, key=key))
    done = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--latency",
            "-s",
            str(script),
            f"{address}/ingest/deploys",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return _read(done.stdout)


def _read(text: str) -> Load:
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p50, p99 = (re.search(rf"{p}%\s+([\d.]+)(us|ms|s|m)\b", text) for p in (50, 99))
    errors = re.search(r"errors (\d+)", text)
    if not (rate and p50 and p99 and errors):
        raise RuntimeError(f"wrk did not say what it saw: {text}")
    return Load(
        float(rate[1]),
        float(p50[1]) * _UNITS[p50[2]],
        float(p99[1]) * _UNITS[p99[2]],
        int(errors[1]),
    )
