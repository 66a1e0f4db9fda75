"""Spans per second over HTTP, acknowledged after fsync, against the layout that peers use; what it
costs in processor time, memory and disk, with 1 million and (not --quick) 10 million spans.

Servers and sender are processes of their own; with two cores the sender takes part of the second.
Ours and the peers' take turns in one run, with as many of the same bodies over as many connections.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.encoding import Encoding
from bench.figures import Figure, median, print_figures, read_options
from bench.large_bodies import make_large_body, post_at_once
from bench.load import POOL_SPANS, LoadClient, start_client, start_live_client
from bench.otlp_client import Outcome
from bench.servers import ServerProcess, serve, serve_miniapm
from bench.stored import (
    count_entries,
    count_spans,
    exact_p95,
    file_bytes,
    find_rollup_mistakes,
    largest_difference,
    read_p95,
    wait_for_packing,
    wait_for_rollups,
)
from bench.traces import BATCH, DAY, Bodies, make_pool

MILLION = 1_000_000
ROUNDS = 5
CONNECTIONS = 4
LARGE_BODIES = 4
SMALL_BATCH = 16


class Rounds:
    """What several rounds of sending to one server came to."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.key = ""
        self.outcomes: list[Outcome] = []
        self._cpu_seconds: list[float] = []

    def send(self, client: LoadClient, spans: int, *, gzip: bool = False) -> None:
        before = self._server.cpu_seconds()
        outcome = client.send(
            self._server, self.key, connections=CONNECTIONS, spans=spans, gzip=gzip
        )
        assert outcome.spans >= spans, f"{outcome.spans} of {spans} acknowledged"
        assert outcome.partial == 0, f"{outcome.partial} bodies were not wholly taken"
        self._cpu_seconds.append((self._server.cpu_seconds() - before) / outcome.spans)
        self.outcomes.append(outcome)

    def rates(self) -> list[float]:
        return [outcome.spans / outcome.seconds for outcome in self.outcomes]

    def rates_of(self, rounds: int) -> list[float]:
        """The same of so many rounds each, without the time between them."""
        cut = [self.outcomes[at : at + rounds] for at in range(0, len(self.outcomes), rounds)]
        return [sum(o.spans for o in some) / sum(o.seconds for o in some) for some in cut]

    def rate(self) -> float:
        return median(self.rates())

    def cpu_per_million(self) -> float:
        return median(self._cpu_seconds) * MILLION

    def spans(self) -> int:
        return sum(outcome.spans for outcome in self.outcomes)

    def figures(self, name: str, goal: str) -> list[Figure]:
        count = len(self.outcomes)
        return [
            Figure(f"{name}_per_second", self.rate(), "spans/s", count, goal),
            Figure(f"{name}_cpu_per_million", self.cpu_per_million(), "s", count),
            Figure(f"{name}_p50", median([o.p50 for o in self.outcomes]), "ms", count),
            Figure(f"{name}_p99", median([o.p99 for o in self.outcomes]), "ms", count),
        ]


def measure_protobuf(spans: int) -> list[Figure]:
    """Protobuf in batches of 512, in turns with the peers' layout, each with as many spans in its
    file: an index over random ids costs more the larger it is."""
    with (
        serve_miniapm() as server,
        serve("-m", "bench.peer_layout") as peer,
        start_live_client() as client,
        start_live_client() as peer_client,
    ):
        ours, peers = Rounds(server), Rounds(peer)
        time.sleep(1)
        idle = server.rss_mb()
        ours.key = server.run("keys", "create", "bench")
        for _ in range(ROUNDS):
            peers.send(peer_client, spans)
            ours.send(client, spans)
        peak, peers_peak = server.peak_rss_mb(), peer.peak_rss_mb()
        peer_bytes = (peer.directory / "peer.db").stat().st_size
    ratios = [o / p for o, p in zip(ours.rates(), peers.rates(), strict=True)]
    sender = sum(o.cpu_seconds for o in ours.outcomes) / sum(o.seconds for o in ours.outcomes)
    return [
        *ours.figures("protobuf", ">= 80000"),
        *peers.figures("peers_layout", ""),
        Figure("ratio_to_peers_layout", median(ratios), "", ROUNDS, ">= 6"),
        Figure("sender_cpu", sender * 100, "%", ROUNDS),
        Figure("rss_idle", idle, "MB", 1, "<= 60"),
        Figure("protobuf_rss_peak", peak, "MB", 1, "<= 200"),
        Figure("peers_layout_rss_peak", peers_peak, "MB", 1),
        Figure("peers_layout_bytes_per_span", peer_bytes / peers.spans(), "B", 1),
    ]


def measure_others(spans: int, rounds: int) -> list[Figure]:
    """The same as JSON, in small batches, and compressed."""
    kinds: Sequence[tuple[str, Encoding, int, bool, str]] = (
        ("json", "json", BATCH, False, ">= 60000"),
        ("batches_of_16", "protobuf", SMALL_BATCH, False, ">= 25000"),
        ("protobuf_gzip", "protobuf", BATCH, True, ""),
    )
    figures = []
    for name, encoding, batch, gzip, goal in kinds:
        with (
            serve_miniapm() as server,
            start_live_client(encoding=encoding, batch=batch) as client,
        ):
            runs = Rounds(server)
            runs.key = server.run("keys", "create", "bench")
            for _ in range(rounds):
                runs.send(client, spans, gzip=gzip)
            peak = server.peak_rss_mb()
        figures += [
            *runs.figures(name, goal),
            Figure(f"{name}_rss_peak", peak, "MB", 1, "<= 200"),
        ]
    return figures


def measure_large_bodies() -> list[Figure]:
    """Four bodies of 64 MiB (as less than 8 MiB of gzip) at the same time."""
    begin = time.time_ns() - DAY
    bodies = Bodies(make_pool(spans=POOL_SPANS), "large", begin, 1)
    filler = Bodies(make_pool(spans=64, batch=16), "filler", begin, 1)
    large = [make_large_body(bodies, filler, number * 1000) for number in range(LARGE_BODIES)]
    with serve_miniapm() as server:
        key = server.run("keys", "create", "bench")
        began = time.monotonic()
        statuses = post_at_once(server, key, large)
        took = time.monotonic() - began
        peak = server.peak_rss_mb()
    assert statuses.count(200) == LARGE_BODIES, f"the large bodies were answered {statuses}"
    return [
        Figure("rss_peak_large_bodies", peak, "MB", LARGE_BODIES, "<= 200"),
        Figure("large_bodies_all_taken", took, "s", LARGE_BODIES),
        Figure("large_bodies_told_to_wait", statuses.count(503), "", LARGE_BODIES),
    ]


def measure_day(name: str, millions: int) -> list[Figure]:
    """So many million spans, spread over the day before now, into one file."""
    with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
        directory = Path(made)
        with (
            serve_miniapm(directory) as server,
            start_client(spans_a_day=millions * MILLION) as client,
        ):
            runs = Rounds(server)
            runs.key = server.run("keys", "create", "bench")
            # a day's spans do not come within a minute: what comes finds free what was packed
            part = min(MILLION, millions * MILLION // 10)
            for _ in range(millions * MILLION // part):
                runs.send(client, part)
                wait_for_packing(directory)
            wait_for_rollups(directory)
            peak = server.peak_rss_mb()
        rates = runs.rates_of(MILLION // part)
        # the medians of three, for one million takes only some seconds
        ratio = median(rates[-3:]) / median(rates[:3])
        return [
            Figure(f"{name}_first_million_per_second", rates[0], "spans/s", 1),
            Figure(f"{name}_last_million_per_second", rates[-1], "spans/s", 1),
            Figure(f"{name}_last_to_first", ratio, "", min(3, millions), ">= 0.7"),
            Figure(f"{name}_rss_peak", peak, "MB", 1, "<= 200"),
            *check_day(name, directory, runs.spans(), client.next),
        ]


def check_day(name: str, directory: Path, spans: int, bodies: int) -> list[Figure]:
    """What the server left behind when it was stopped; `bodies` were sent."""
    sent = list(make_pool(spans=POOL_SPANS).count_entries(bodies))
    missing = spans - count_spans(directory)
    missing_entries = sum(times for _, times in sent) - count_entries(directory)
    difference = largest_difference(read_p95(directory), exact_p95(sent))
    return [
        Figure(f"{name}_bytes_per_span", file_bytes(directory) / spans, "B", 1, "<= 60"),
        Figure(f"{name}_p95_off_by", difference * 100, "%", len(sent), "<= 2.5"),
        Figure(f"{name}_acknowledged_and_missing", missing, "", spans, "0"),
        Figure(f"{name}_entries_missing", missing_entries, "", spans, "0"),
        Figure(f"{name}_rollup_mistakes", find_rollup_mistakes(directory), "", 1, "0"),
    ]


def main() -> None:
    options = read_options(__doc__ or "")
    spans, rounds = (102_400, 1) if options.quick else (204_800, 3)
    figures = measure_protobuf(spans)
    figures += measure_others(spans, rounds)
    figures += measure_large_bodies()
    figures += measure_day("day_of_1m", 1)
    if not options.quick:
        figures += measure_day("day_of_10m", 10)
        sizes = {figure.name: figure.value for figure in figures}
        growth = sizes["day_of_10m_bytes_per_span"] / sizes["day_of_1m_bytes_per_span"]
        figures.append(Figure("bytes_per_span_10m_to_1m", growth, "", 1, "<= 1"))
    print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    main()
