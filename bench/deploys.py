"""Durable deploy POSTs per second against a POST that does nothing, in the same run.

Both servers run under the same uvicorn settings, take turns, and are loaded by wrk with one thread.
"""

import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, median, print_figures, read_options
from bench.servers import ServerProcess, serve, serve_miniapm
from bench.wrk import Load, post_deploys

CONNECTIONS = 64


@dataclass
class Runs:
    loads: list[Load] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def cpu_per_post(self) -> float:
        """Microseconds of processor time, which a noisy neighbour disturbs less than the rate."""
        pairs = zip(self.busy, self.loads, strict=True)
        return median([busy / 100 / load.per_second * 1e6 for busy, load in pairs])

    def rate(self) -> float:
        return median([load.per_second for load in self.loads])

    def p99(self) -> float:
        return median([load.p99 for load in self.loads])


def measure(server: ServerProcess, key: str, runs: Runs, connections: int, seconds: int) -> None:
    cpu, began = server.cpu_seconds(), time.monotonic()
    load = post_deploys(
        server.address,
        key,
        secrets.token_hex(4),
        connections=connections,
        seconds=seconds,
        directory=server.directory,
    )
    runs.busy.append((server.cpu_seconds() - cpu) / (time.monotonic() - began) * 100)
    runs.loads.append(load)
    assert load.errors == 0, f"{load.errors} posts failed"


def time_command(directory: Path, *arguments: str) -> float:
    """Wall seconds of a miniapm command."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "miniapm", *arguments],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - began


def main() -> None:
    options = read_options(__doc__ or "")
    rounds, seconds = (2, 3) if options.quick else (5, 8)
    noop, ours, single = Runs(), Runs(), Runs()
    with serve("-m", "bench.noop") as baseline, serve_miniapm() as server:
        idle = server.rss_mb()
        key = server.run("keys", "create", "bench")
        makes = [time_command(server.directory, "keys", "create", f"k{i}") for i in range(5)]
        for _ in range(rounds):
            measure(baseline, key, noop, CONNECTIONS, seconds)
            measure(server, key, ours, CONNECTIONS, seconds)
        measure(server, key, single, 1, seconds)
        loaded = server.rss_mb()
    starts = []
    for _ in range(rounds):
        with serve_miniapm() as fresh:
            starts.append(fresh.started_in)
    ratios = [o.per_second / n.per_second for o, n in zip(ours.loads, noop.loads, strict=True)]
    print_figures(
        [
            Figure("deploys_per_second_64", ours.rate(), "1/s", rounds),
            Figure("noop_per_second_64", noop.rate(), "1/s", rounds),
            Figure("ratio_to_noop", median(ratios), "", rounds, ">= 0.8"),
            Figure("deploys_p99_64", ours.p99(), "ms", rounds, "< 60"),
            Figure("noop_p99_64", noop.p99(), "ms", rounds),
            Figure("deploys_cpu_per_post", ours.cpu_per_post(), "µs", rounds),
            Figure("noop_cpu_per_post", noop.cpu_per_post(), "µs", rounds),
            Figure("server_cpu", median(ours.busy), "%", rounds, ">= 90"),
            Figure("noop_cpu", median(noop.busy), "%", rounds, ">= 90"),
            Figure("deploys_per_second_1", single.rate(), "1/s", 1),
            Figure("deploys_p50_1", single.loads[0].p50, "ms", 1),
            Figure("serve_to_first_200", median(starts), "s", rounds, "<= 1.0"),
            Figure("keys_create", median(makes), "s", len(makes), "<= 0.4"),
            Figure("rss_idle", idle, "MB", 1, "<= 60"),
            Figure("rss_after_load", loaded, "MB", 1),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
