"""Spans per second over HTTP, acknowledged after fsync, against the layout that peers use; what it
costs in processor time, memory and disk, with 1 million and (not --quick) 10 million spans.

Servers and sender are processes of their own; with two cores the sender takes part of the second.
Ours and the peers' take turns in one run, with as many of the same bodies over as many connections.
Rates are medians of quiet rounds: see `bench/quiet.py`.
"""

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.encoding import Encoding
from bench.figures import Figure, median, print_figures, read_options
from bench.large_bodies import make_large_body, post_at_once
from bench.load import POOL_SPANS, LoadClient, start_client, start_live_client
from bench.otlp_client import Outcome
from bench.quiet import Stretch, choose_quiet, mean_stolen, measure_stretch, measure_until_quiet
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
PATIENCE = 6
CONNECTIONS = 4
LARGE_BODIES = 4
SMALL_BATCH = 16


class Sent(NamedTuple):
    """One round of sending: what became of it, and what it cost the server a span."""

    outcome: Outcome
    cpu_seconds: float


class Rounds:
    """What several rounds of sending to one server came to."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.key = ""
        self.stretches: list[Stretch[Sent]] = []

    def send(self, client: LoadClient, spans: int, *, gzip: bool = False) -> None:
        self.stretches.append(measure_stretch(partial(self._send, client, spans, gzip)))

    def send_until_quiet(
        self, client: LoadClient, spans: int, rounds: int, *, gzip: bool = False
    ) -> None:
        """So many quiet rounds, within `PATIENCE` times as many."""
        send = partial(self._send, client, spans, gzip)
        self.stretches += measure_until_quiet(send, wanted=rounds, most=rounds * PATIENCE)

    def _send(self, client: LoadClient, spans: int, gzip: bool) -> Sent:
        before = self._server.cpu_seconds()
        outcome = client.send(
            self._server, self.key, connections=CONNECTIONS, spans=spans, gzip=gzip
        )
        assert outcome.spans >= spans, f"{outcome.spans} of {spans} acknowledged"
        assert outcome.partial == 0, f"{outcome.partial} bodies were not wholly taken"
        return Sent(outcome, (self._server.cpu_seconds() - before) / outcome.spans)

    def spans(self) -> int:
        return sum(stretch.value.outcome.spans for stretch in self.stretches)


def list_figures(name: str, goal: str, stretches: Sequence[Stretch[Sent]]) -> list[Figure]:
    count = len(stretches)
    sent = [stretch.value for stretch in stretches]
    outcomes = [one.outcome for one in sent]
    cpu = median([one.cpu_seconds for one in sent]) * MILLION
    return [
        Figure(f"{name}_per_second", median(list_rates(stretches)), "spans/s", count, goal),
        Figure(f"{name}_cpu_per_million", cpu, "s", count),
        Figure(f"{name}_p50", median([o.p50 for o in outcomes]), "ms", count),
        Figure(f"{name}_p99", median([o.p99 for o in outcomes]), "ms", count),
        Figure(f"{name}_stolen", mean_stolen(stretches), "%", count),
    ]


def list_rates(stretches: Sequence[Stretch[Sent]]) -> list[float]:
    return [s.value.outcome.spans / s.value.outcome.seconds for s in stretches]


def measure_protobuf(spans: int, rounds: int) -> list[Figure]:
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

        def take_turns() -> None:
            peers.send(peer_client, spans)
            ours.send(client, spans)

        turns = measure_until_quiet(take_turns, wanted=rounds, most=rounds * PATIENCE)
        peak, peers_peak = server.peak_rss_mb(), peer.peak_rss_mb()
        peer_bytes = (peer.directory / "peer.db").stat().st_size
    quiet = choose_quiet(turns)
    chosen = [at for at, turn in enumerate(turns) if turn in quiet]
    our_turns, peer_turns = ([r.stretches[at] for at in chosen] for r in (ours, peers))
    pairs = zip(list_rates(our_turns), list_rates(peer_turns), strict=True)
    outcomes = [turn.value.outcome for turn in our_turns]
    sender = sum(o.cpu_seconds for o in outcomes) / sum(o.seconds for o in outcomes)
    return [
        *list_figures("protobuf", ">= 80000", our_turns),
        *list_figures("peers_layout", "", peer_turns),
        Figure("ratio_to_peers_layout", median([o / p for o, p in pairs]), "", len(chosen), ">= 6"),
        Figure("sender_cpu", sender * 100, "%", len(chosen)),
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
            # the first finds an empty file and learns the dictionary
            runs.send(client, spans, gzip=gzip)
            runs.stretches.clear()
            # as long a stretch whatever the batches: quiet ones are short
            part = spans // 4 if batch == SMALL_BATCH else spans
            runs.send_until_quiet(client, part, rounds, gzip=gzip)
            peak = server.peak_rss_mb()
        figures += [
            *list_figures(name, goal, choose_quiet(runs.stretches)),
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
    """So many million spans, spread over the day before now, into one file: how fast its first
    three tenths and its last three are taken, and what is stored."""
    with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
        directory = Path(made)
        with (
            serve_miniapm(directory) as server,
            start_client(spans_a_day=millions * MILLION) as client,
        ):
            runs = Rounds(server)
            runs.key = server.run("keys", "create", "bench")
            part = MILLION // 10
            for number in range(1, 10 * millions + 1):
                runs.send(client, part)
                # a day's spans do not come within a minute: what comes finds free what was packed
                if number % min(10, millions) == 0:
                    wait_for_packing(directory)
            wait_for_rollups(directory)
            peak = server.peak_rss_mb()
        count = len(runs.stretches) * 3 // 10
        first, last = (choose_quiet(s) for s in (runs.stretches[:count], runs.stretches[-count:]))
        rates = [median(list_rates(stretches)) for stretches in (first, last)]
        return [
            Figure(f"{name}_first_per_second", rates[0], "spans/s", len(first)),
            Figure(f"{name}_last_per_second", rates[1], "spans/s", len(last)),
            Figure(
                f"{name}_last_to_first",
                rates[1] / rates[0],
                "",
                min(len(first), len(last)),
                ">= 0.7",
            ),
            Figure(f"{name}_first_stolen", mean_stolen(first), "%", len(first)),
            Figure(f"{name}_last_stolen", mean_stolen(last), "%", len(last)),
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
    spans, rounds = 102_400, 3 if options.quick else 5
    figures = measure_protobuf(spans, rounds)
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
