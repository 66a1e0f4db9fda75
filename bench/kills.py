"""kill -9 under load, over and over: nothing acknowledged may be lost, nothing may stand twice.

Each round starts a server on the same file, posts deploys over several connections, each with an
Idempotency-Key of its own, kills the server without warning, and looks at the file.
"""

import http.client
import itertools
import json
import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, print_figures, read_options
from bench.servers import ServerProcess, serve_miniapm

CONNECTIONS = 8
POSTS_BEFORE_KILL = 150


@dataclass
class Tally:
    """What the senders know. `unsure` holds those whose answer never came."""

    acknowledged: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    rounds: int = 0
    damaged: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def post(connection: http.client.HTTPConnection, key: str, sha: str) -> bool:
    """Whether the server acknowledged it; OSError or HTTPException when it went away."""
    connection.request(
        "POST",
        "/ingest/deploys",
        json.dumps({"git_sha": sha, "version": sha[-8:]}),
        {"Authorization": f"Bearer {key}", "Idempotency-Key": sha},
    )
    answer = connection.getresponse()
    answer.read()
    return answer.status == 202


def _send_until_killed(
    server: ServerProcess, key: str, shas: Iterator[str], tally: Tally, enough: threading.Event
) -> None:
    host = server.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        while True:
            with tally.lock:
                sha = next(shas)
                tally.unsure.add(sha)
            try:
                acknowledged = post(connection, key, sha)
            except (OSError, http.client.HTTPException):
                return
            if acknowledged:
                with tally.lock:
                    tally.unsure.discard(sha)
                    tally.acknowledged.add(sha)
                    if len(tally.acknowledged) >= (tally.rounds + 1) * POSTS_BEFORE_KILL:
                        enough.set()


def run_round(directory: Path, key: str, shas: Iterator[str], tally: Tally) -> None:
    """One server, killed while posts are under way; then the file is checked."""
    with serve_miniapm(directory) as server:
        enough = threading.Event()
        senders = [
            threading.Thread(target=_send_until_killed, args=(server, key, shas, tally, enough))
            for _ in range(CONNECTIONS)
        ]
        for sender in senders:
            sender.start()
        enough.wait(60)
        os.kill(server.pid, signal.SIGKILL)
        for sender in senders:
            sender.join()
    tally.rounds += 1
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        [(verdict,)] = database.execute("pragma integrity_check")
        tally.damaged += verdict != "ok"


def send_unsure_again(server: ServerProcess, key: str, tally: Tally) -> None:
    """What a careful sender does after the crash: the same post with the same key."""
    with closing(http.client.HTTPConnection(server.address.removeprefix("http://"))) as connection:
        for sha in sorted(tally.unsure):
            assert post(connection, key, sha)
    tally.acknowledged |= tally.unsure


def count_rows(directory: Path) -> dict[str, int]:
    """Rows by sha."""
    with closing(sqlite3.connect(directory / "miniapm.db")) as database:
        return dict(database.execute("select git_sha, count(*) from deploys group by git_sha"))


def run_rounds(directory: Path, rounds: int) -> tuple[Tally, dict[str, int]]:
    """The tally after `rounds`, and the rows by sha once everything unsure was sent again."""
    tally = Tally()
    shas = (f"{number:040x}" for number in itertools.count(1))
    with serve_miniapm(directory) as server:
        key = server.run("keys", "create", "kills")
    for _ in range(rounds):
        run_round(directory, key, shas, tally)
    with serve_miniapm(directory) as server:
        send_unsure_again(server, key, tally)
    return tally, count_rows(directory)


def main() -> None:
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory(prefix="miniapm-kills-") as directory:
        tally, rows = run_rounds(Path(directory), 10 if options.quick else 200)
    lost = sum(sha not in rows for sha in tally.acknowledged)
    twice = sum(count > 1 for count in rows.values())
    print_figures(
        [
            Figure("acknowledged", len(tally.acknowledged), "", tally.rounds),
            Figure("unsure_sent_again", len(tally.unsure), "", tally.rounds),
            Figure("lost", lost, "", tally.rounds, "0"),
            Figure("stored_twice", twice, "", tally.rounds, "0"),
            Figure("damaged_files", tally.damaged, "", tally.rounds, "0"),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
