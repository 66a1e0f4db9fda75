"""kill -9 under a load of spans and errors, over and over: nothing acknowledged may be lost, and
nothing may be counted twice.

Each round starts a server on the same file, sends batches of spans and errors over several
connections, kills the server without warning, and looks at the file. At the end what nobody knows
the fate of is sent again, as exporters do, and the rollups are compared with the entries.
"""

import http.client
import itertools
import json
import os
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.figures import Figure, print_figures, read_options
from bench.servers import ServerProcess, serve_miniapm
from bench.stored import count_entries, find_rollup_mistakes, wait_for_rollups
from bench.traces import DAY, Bodies, make_pool
from miniapm.domain.otlp.stored import open_body
from miniapm.domain.spans.compression import Dictionary, dictionary_of

SPAN_SENDERS = 6
ERROR_SENDERS = 2
BATCH = 24
# the kill comes sooner in one round and later in another: before and after rollups are written
FEWEST_BODIES, MOST_BODIES = 50, 1500
ERRORS_BEFORE_KILL = 20

Post = Callable[[http.client.HTTPConnection, int], bool]


@dataclass
class Tally:
    """What the senders of one kind know: numbers of bodies. `unsure` got no answer."""

    acknowledged: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int:
        with self.lock:
            number = next(self.numbers)
            self.unsure.add(number)
            return number

    def note(self, number: int) -> int:
        """Notes that a body is acknowledged; gives how many are."""
        with self.lock:
            self.unsure.discard(number)
            self.acknowledged.add(number)
            return len(self.acknowledged)


class Load:
    """What is sent: each number is another body, the same whenever it is asked for."""

    def __init__(self, key: str) -> None:
        self._pool = make_pool(spans=8_000, batch=BATCH)
        self._bodies = Bodies(self._pool, "kills", time.time_ns() - DAY, 20)
        self._authorization = {"Authorization": f"Bearer {key}"}

    def post_spans(self, connection: http.client.HTTPConnection, number: int) -> bool:
        """Whether the server acknowledged it; OSError or HTTPException when it went away."""
        headers = {**self._authorization, "Content-Type": "application/x-protobuf"}
        return _post(connection, "/v1/traces", self._bodies.make(number), headers) == 200

    def post_error(self, connection: http.client.HTTPConnection, number: int) -> bool:
        """The same for an error."""
        body = {
            "exception_class": "ValueError",
            "message": "killed",
            "fingerprint": name_error(number),
        }
        headers = {**self._authorization, "Content-Type": "application/json"}
        return _post(connection, "/ingest/errors", json.dumps(body).encode(), headers) == 202

    def span_ids(self, number: int) -> list[bytes]:
        return list(_read_span_ids(self._bodies.make(number)))

    def entries(self, number: int) -> int:
        return len(self._pool.templates[number % len(self._pool.templates)].entries)


def name_error(number: int) -> str:
    """The group that it belongs to: some errors each, for there is a cap on groups."""
    return f"kill-{number // 8:08d}"


def _post(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
) -> int:
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _read_span_ids(body: bytes) -> Iterator[bytes]:
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from (span.trace_id + span.span_id for span in scope_spans.spans)


def _send_until_killed(
    server: ServerProcess, post: Post, tally: Tally, least: int, enough: threading.Event
) -> None:
    """Sets `enough` once `least` are acknowledged, or when nothing more comes."""
    host = server.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        try:
            while post(connection, number := tally.take()):
                if tally.note(number) >= least:
                    enough.set()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            enough.set()


def run_round(directory: Path, load: Load, spans: Tally, errors: Tally, bodies: int) -> None:
    """One server, killed while posts are under way, once so many bodies and some errors are
    taken."""
    kinds = (
        (SPAN_SENDERS, load.post_spans, spans, len(spans.acknowledged) + bodies),
        (ERROR_SENDERS, load.post_error, errors, len(errors.acknowledged) + ERRORS_BEFORE_KILL),
    )
    with serve_miniapm(directory) as server:
        senders = []
        for count, post, tally, least in kinds:
            enough = threading.Event()
            senders += [
                (
                    threading.Thread(
                        target=_send_until_killed, args=(server, post, tally, least, enough)
                    ),
                    enough,
                )
                for _ in range(count)
            ]
        for sender, _ in senders:
            sender.start()
        for _, enough in senders:
            enough.wait(60)
        os.kill(server.pid, signal.SIGKILL)
        for sender, _ in senders:
            sender.join()
    for _, _, tally, least in kinds:
        assert len(tally.acknowledged) >= least, "the server refused or was too slow"


def send_unsure_again(server: ServerProcess, load: Load, spans: Tally, errors: Tally) -> None:
    """What exporters do after a crash: the same bytes again."""
    with closing(http.client.HTTPConnection(server.address.removeprefix("http://"))) as connection:
        for post, tally in ((load.post_spans, spans), (load.post_error, errors)):
            for number in sorted(tally.unsure):
                assert post(connection, number)
                tally.note(number)


@dataclass(frozen=True)
class Verdict:
    """What was sent and what was found. An error that was unsure may count twice: nothing tells
    one that is sent again from a second one."""

    spans: int
    errors: int
    unsure_bodies: int
    unsure_errors: int
    lost_spans: int
    spans_stored_twice: int
    lost_errors: int
    errors_counted_twice: int
    entries_lost_or_twice: int
    rollup_mistakes: int
    damaged_files: int


def run_rounds(directory: Path, rounds: int) -> Verdict:
    with serve_miniapm(directory) as server:
        load = Load(server.run("keys", "create", "kills"))
    spans, errors = Tally(), Tally()
    damaged = 0
    for number in range(rounds):
        bodies = FEWEST_BODIES + number * 997 % (MOST_BODIES - FEWEST_BODIES)
        run_round(directory, load, spans, errors, bodies)
        damaged += not _is_sound(directory)
    unsure_bodies, unsure_errors = len(spans.unsure), sorted(errors.unsure)
    with serve_miniapm(directory) as server:
        send_unsure_again(server, load, spans, errors)
        wait_for_rollups(directory)
    expected = {span for number in spans.acknowledged for span in load.span_ids(number)}
    stored = _count_stored_spans(directory)
    entries = sum(load.entries(number) for number in spans.acknowledged)
    counted = _count_errors(directory)
    least = Counter(map(name_error, errors.acknowledged))
    most = least + Counter(map(name_error, unsure_errors))
    return Verdict(
        spans=len(expected),
        errors=len(errors.acknowledged),
        unsure_bodies=unsure_bodies,
        unsure_errors=len(unsure_errors),
        lost_spans=len(expected - stored.keys()),
        spans_stored_twice=sum(count > 1 for count in stored.values()),
        lost_errors=(least - counted).total(),
        errors_counted_twice=(counted - most).total(),
        entries_lost_or_twice=abs(entries - count_entries(directory)),
        rollup_mistakes=find_rollup_mistakes(directory),
        damaged_files=damaged,
    )


def _is_sound(directory: Path) -> bool:
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        [(verdict,)] = database.execute("pragma integrity_check")
    return bool(verdict == "ok")


def _count_stored_spans(directory: Path) -> Counter[bytes]:
    """How often each span is in the stored bodies."""
    stored: Counter[bytes] = Counter()
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        # bodies are compressed with a dictionary once the server has trained one
        dictionaries = {
            dictionary.id: dictionary
            for (content,) in database.execute("select content from span_dictionaries")
            for dictionary in (Dictionary(content),)
        }
        for (frame,) in database.execute("select body from span_batches"):
            body = open_body(frame, dictionaries.get(dictionary_of(frame)))
            stored.update(_read_span_ids(body))
    return stored


def _count_errors(directory: Path) -> Counter[str]:
    """The occurrences of each group of `name_error`."""
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        return Counter(
            dict(
                database.execute(
                    "select fingerprint, count from error_groups where fingerprint like 'kill-%'"
                )
            )
        )


def main() -> None:
    options = read_options(__doc__ or "")
    rounds = 5 if options.quick else 50
    with tempfile.TemporaryDirectory(prefix="miniapm-kills-") as directory:
        found = run_rounds(Path(directory), rounds)
    print_figures(
        [
            Figure("spans_acknowledged", found.spans, "", rounds),
            Figure("errors_acknowledged", found.errors, "", rounds),
            Figure("bodies_unsure_sent_again", found.unsure_bodies, "", rounds),
            Figure("errors_unsure_sent_again", found.unsure_errors, "", rounds),
            Figure("spans_lost", found.lost_spans, "", rounds, "0"),
            Figure("spans_stored_twice", found.spans_stored_twice, "", rounds, "0"),
            Figure("errors_lost", found.lost_errors, "", rounds, "0"),
            Figure("errors_counted_twice", found.errors_counted_twice, "", rounds, "0"),
            Figure("entries_lost_or_twice", found.entries_lost_or_twice, "", rounds, "0"),
            Figure("rollup_mistakes", found.rollup_mistakes, "", rounds, "0"),
            Figure("damaged_files", found.damaged_files, "", rounds, "0"),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
