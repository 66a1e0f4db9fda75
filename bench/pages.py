"""Server time of the pages of telemetry with 10 million spans of one day (--quick: 500,000), signed
in as a viewer, over keep-alive: warm, and while four connections send spans as fast as they can.
Times are those of quiet stretches: see `bench/quiet.py`.

--keep DIR keeps the file there and uses it again; it is made anew when it has too few spans.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain, cycle, islice
from pathlib import Path
from urllib.parse import urlencode

from bench.figures import Figure, add_options, median, percentile, print_figures
from bench.load import start_client, start_live_client
from bench.otlp_client import Outcome
from bench.quiet import choose_quiet, mean_stolen, measure_until_quiet
from bench.servers import ServerProcess, serve_miniapm
from bench.signing_in import Browser, open_browser, sign_in_viewer
from bench.stored import count_spans
from miniapm.clock import DAY, MINUTE, now, to_datetime

WARM_UP = 5
STRETCH = 20
PATIENCE = 5
TRACES = 40
FRESH = 10 * MINUTE
GOAL = "<= 100"


def fill(directory: Path, spans: int) -> None:
    """A file with so many spans, spread over the day before now."""
    with serve_miniapm(directory) as server, start_client(spans_a_day=spans) as client:
        key = server.run("keys", "create", "fill")
        client.send(server, key, spans=spans)


@contextmanager
def prepared(keep: Path | None, spans: int) -> Iterator[Path]:
    """A directory whose database holds at least so many spans."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
            fill(Path(made), spans)
            yield Path(made)
        return
    keep.mkdir(parents=True, exist_ok=True)
    database = keep / "miniapm.db"
    if not database.exists() or count_spans(keep) < spans:
        for left in keep.glob("miniapm.db*"):
            left.unlink()
        fill(keep, spans)
    yield keep


def find_period(directory: Path) -> str:
    """`range=24h`, or for an older file the day that ends with its last entry."""
    last = _read(directory, "select max(started_at) from entries where id > :least", 0)[0]
    assert isinstance(last, int)
    if now() - last < FRESH:
        return "range=24h"
    since, until = to_datetime(last - DAY), to_datetime(last)
    return urlencode({"from": since.isoformat(), "to": until.isoformat()})


def find_traces(directory: Path) -> list[str]:
    """Traces from all over the day."""
    first, last = (
        _read(directory, f"select {end}(id) from entries where id > :least", 0)[0]
        for end in ("min", "max")
    )
    assert isinstance(first, int)
    assert isinstance(last, int)
    places = (first + (last - first) * number // TRACES for number in range(TRACES))
    found = (
        _read(directory, "select trace_id from entries where id >= :least order by id", place)[0]
        for place in places
    )
    return [trace_id.hex() for trace_id in found if isinstance(trace_id, bytes)]


def _read(directory: Path, sql: str, least: int) -> tuple[int | bytes, ...]:
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        row: tuple[int | bytes, ...] = database.execute(
            sql + " limit 1", {"least": least}
        ).fetchone()
    return row


def list_pages(period: str, traces: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The addresses of each kind of page."""
    base = "/p/default"
    return {
        "overview": [f"{base}/?{period}"],
        "endpoints": [f"{base}/endpoints?{period}"],
        "slowest": [f"{base}/traces?sort=slow&{period}"],
        "trace": [f"{base}/traces/{trace_id}" for trace_id in traces],
        "errors": [f"{base}/errors?{period}"],
    }


def measure_warm(browser: Browser, pages: Mapping[str, Sequence[str]], times: int) -> list[Figure]:
    figures = []
    for name, paths in pages.items():
        # every address is asked for once before it counts: warm is what is promised
        browser.time_pages(islice(cycle(paths), max(WARM_UP, len(paths))))
        stretches = choose_quiet(
            measure_until_quiet(
                partial(_time_next, browser, cycle(paths)),
                wanted=times // STRETCH,
                most=times // STRETCH * PATIENCE,
            )
        )
        taken = list(chain.from_iterable(stretch.value for stretch in stretches))
        figures += [
            Figure(f"{name}_p50", median(taken), "ms", len(taken)),
            Figure(f"{name}_p95", percentile(taken, 0.95), "ms", len(taken), GOAL),
            Figure(f"{name}_stolen", mean_stolen(stretches), "%", len(taken)),
        ]
    return figures


def _time_next(browser: Browser, paths: Iterator[str]) -> list[float]:
    return browser.time_pages(islice(paths, STRETCH))


def measure_under_load(
    server: ServerProcess, browser: Browser, pages: Mapping[str, Sequence[str]], seconds: int
) -> list[Figure]:
    """The pages in turns while ingest is saturated, and the rate of ingest meanwhile; quiet
    stretches of a second."""
    key = server.run("keys", "create", "load")
    addresses = {name: cycle(paths) for name, paths in pages.items()}

    def take_turns() -> list[tuple[str, float]]:
        taken: list[tuple[str, float]] = []
        until = time.monotonic() + 1
        while time.monotonic() < until:
            taken += [(name, browser.time_page(next(paths))) for name, paths in addresses.items()]
        return taken

    most = seconds * PATIENCE
    with start_live_client() as client:
        client.begin_sending(server, key, seconds=most * 2 + 30)
        time.sleep(1)
        stretches = choose_quiet(measure_until_quiet(take_turns, wanted=seconds, most=most))
        outcome: Outcome = client.stop()
    timed = list(chain.from_iterable(stretch.value for stretch in stretches))
    every = [taken for _, taken in timed]
    of_page = {name: [taken for page, taken in timed if page == name] for name in pages}
    return [
        Figure("page_p50_under_load", median(every), "ms", len(every)),
        Figure("page_p99_under_load", percentile(every, 0.99), "ms", len(every), "<= 50"),
        *(
            Figure(f"{name}_p99_under_load", percentile(found, 0.99), "ms", len(found))
            for name, found in of_page.items()
        ),
        Figure("stolen_under_load", mean_stolen(stretches), "%", len(stretches)),
        Figure("spans_per_second_meanwhile", outcome.spans / outcome.seconds, "spans/s", 1),
        Figure("rss_peak", server.peak_rss_mb(), "MB", 1, "<= 200"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--keep", type=Path, help="a directory for the file, to use it again")
    options = parser.parse_args()
    spans, times, seconds = (500_000, 40, 5) if options.quick else (10_000_000, 200, 30)
    with prepared(options.keep, spans) as directory:
        pages = list_pages(find_period(directory), find_traces(directory))
        with serve_miniapm(directory) as server:
            token = sign_in_viewer(directory / "miniapm.db")
            with open_browser(server, token) as browser:
                figures = measure_warm(browser, pages, times)
                figures += measure_under_load(server, browser, pages, seconds)
    figures.append(Figure("spans", spans, "", 1))
    print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    main()
