"""Server time of the timeline with 10,000 deploys in 5 environments, signed in, over keep-alive."""

import http.client
import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.figures import Figure, median, percentile, print_figures, read_options
from bench.servers import serve_miniapm
from miniapm import clock
from miniapm.clock import DAY, MINUTE
from miniapm.domain.deploys.values import Deploy, Status
from miniapm.domain.ids import IdMaker
from miniapm.domain.tokens import hash_token
from miniapm.domain.users import User
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.once import write_once
from miniapm.storage.projects import get_project
from miniapm.storage.sessions import insert_session
from miniapm.storage.users import insert_user

DEPLOYS = 10_000
ENVS = ("production", "staging", "preview", "canary", "qa")
STATUSES: Sequence[Status] = ("succeeded",) * 17 + ("failed", "cancelled", "timed_out")
PAGES = {
    "newest": "",
    "one_env": "?env=qa",
    "search": "?q=fix%20payment%204",
    "search_nothing": "?q=nothing-like-this",
}


def fill(connection: Connection, token: str) -> None:
    """DEPLOYS deploys of two services, some of them retries and rollbacks, and a session."""
    make_id, now = IdMaker(clock.now), clock.now()
    project = get_project(connection, "default")
    for number in range(DEPLOYS):
        at = now - (DEPLOYS - number) * 30 * MINUTE
        # every ninth goes back to an older sha, as rollbacks and retries do
        build = number - 5 if number % 9 == 0 else number
        insert_row(
            connection,
            Deploy(
                id=make_id(),
                project_id=project.id,
                service=("web", "worker")[number % 2],
                env=ENVS[number % 5],
                git_sha=f"{build * 2654435761 % 2**32:08x}{build:032x}",
                version=f"v1.{build // 100}.{build % 100}",
                status=STATUSES[number % len(STATUSES)],
                deployed_at=at,
                recorded_at=at,
                updated_at=at,
                deployer=("ana", "ben", "github-actions")[number % 3],
                title=f"Fix payment {build} for orders that were split",
                tags=("is_fix",) if number % 10 == 0 else (),
            ),
        )
    user = User(make_id(), "bench", "admin", now)
    insert_user(connection, user, "no password")
    insert_session(connection, hash_token(token), user.id, now, now + DAY)


def time_page(
    connection: http.client.HTTPConnection, path: str, token: str, times: int
) -> list[float]:
    """Milliseconds of each of `times` requests, after some to warm up."""
    taken = []
    for number in range(times + 5):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": f"miniapm_session={token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, f"{path} answered {answer.status}"
        if number >= 5:
            taken.append((time.perf_counter() - began) * 1000)
    return taken


def main() -> None:
    options = read_options(__doc__ or "")
    times = 40 if options.quick else 300
    token = secrets.token_urlsafe(32)
    figures = []
    with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
        directory = Path(made)
        with serve_miniapm(directory) as server:
            write_once(directory / "miniapm.db", fill, token)
            host = server.address.removeprefix("http://")
            with closing(http.client.HTTPConnection(host)) as connection:
                for name, query in PAGES.items():
                    path = f"/p/default/deploys{query}"
                    taken = time_page(connection, path, token, times)
                    figures += [
                        Figure(f"timeline_{name}_p50", median(taken), "ms", times),
                        Figure(
                            f"timeline_{name}_p95", percentile(taken, 0.95), "ms", times, "<= 50"
                        ),
                    ]
    print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    main()
