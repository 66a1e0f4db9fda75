"""A minute at twice the spans per second that the server can take (--quick: ten seconds), over very
many connections: it must say when to come back, stay small, keep what it took, and be well at once.

What it can take is measured first. Then bodies are due at twice that rate whatever comes back; a
refused one is not sent again, for the next is due. Right after it, it must be as fast as it is
after a rest.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, print_figures, read_options
from bench.load import start_live_client
from bench.otlp_client import Outcome
from bench.quiet import (
    Stretch,
    choose_quiet,
    mean_stolen,
    measure_stretch,
    measure_until_quiet,
)
from bench.servers import serve_miniapm
from bench.stored import count_spans
from bench.traces import BATCH

# all of them under way are more than the 64 MiB that may wait
CONNECTIONS = 900
FACTOR = 2
PATIENCE = 6
REST_SECONDS = 30


def rate(stretches: Sequence[Stretch[Outcome]]) -> float:
    """Spans a second in the quiet ones."""
    outcomes = [stretch.value for stretch in choose_quiet(stretches)]
    return sum(o.spans for o in outcomes) / sum(o.seconds for o in outcomes)


def main() -> None:
    options = read_options(__doc__ or "")
    seconds, spans = (10, 102_400) if options.quick else (60, 204_800)
    with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
        directory = Path(made)
        with serve_miniapm(directory) as server, start_live_client() as client:
            key = server.run("keys", "create", "bench")

            def send() -> Outcome:
                return client.send(server, key, spans=spans)

            before = measure_until_quiet(send, wanted=1, most=PATIENCE)
            capacity = rate(before)
            flooding = measure_stretch(
                lambda: client.send(
                    server,
                    key,
                    connections=CONNECTIONS,
                    seconds=seconds,
                    per_second=FACTOR * capacity / BATCH,
                    again=False,
                )
            )
            flood = flooding.value
            ended = time.perf_counter()
            first = client.send(server, key, connections=1, spans=BATCH)
            recovered = time.perf_counter() - ended
            after = measure_until_quiet(send, wanted=1, most=PATIENCE)
            time.sleep(REST_SECONDS)
            later = measure_until_quiet(send, wanted=1, most=PATIENCE)
            rss, peak = server.rss_mb(), server.peak_rss_mb()
        rounds = [stretch.value for stretch in (*before, *after, *later)]
        acknowledged = sum(outcome.spans for outcome in (flood, first, *rounds))
        missing = acknowledged - count_spans(directory)
    others = sum(count for status, count in flood.statuses.items() if status not in (200, 503))
    offered = (sum(flood.statuses.values()) + flood.dropped) * BATCH
    print_figures(
        [
            Figure("capacity", capacity, "spans/s", 1),
            Figure("offered", offered / flood.seconds, "spans/s", seconds),
            Figure("bodies_not_offered", flood.late, "", seconds),
            Figure("taken", flood.spans / flood.seconds, "spans/s", seconds),
            Figure("taken_of_capacity", flood.spans / flood.seconds / capacity, "", seconds),
            Figure("told_to_wait", flood.statuses.get(503, 0), "", seconds, "> 0"),
            Figure("without_retry_after", flood.without_retry_after, "", seconds, "0"),
            Figure("other_answers", others, "", seconds, "0"),
            Figure("connections_dropped", flood.dropped, "", seconds, "0"),
            Figure("taken_p99", flood.p99, "ms", flood.bodies, "< 10000"),
            Figure("rss_peak", peak, "MB", 1, "<= 200"),
            Figure("rss_after", rss, "MB", 1),
            Figure("acknowledged_and_missing", missing, "", acknowledged, "0"),
            Figure("recovered_after", recovered, "s", 1, "<= 1"),
            Figure("first_answer_after", first.worst, "ms", 1),
            # against what it can take later: five million spans of one hour are dense indexes, too
            Figure("capacity_after", rate(after) / rate(later), "", 1, ">= 0.8"),
            Figure("capacity_of_that_file", rate(later) / capacity, "", 1, ">= 0.6"),
            Figure("stolen_in_flood", flooding.stolen * 100, "%", seconds),
            Figure("stolen_in_capacity", mean_stolen(choose_quiet(before)), "%", len(before)),
            Figure("stolen_after", mean_stolen(choose_quiet((*after, *later))), "%", len(after)),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
