"""Server time of the delivery page with 100,000 live deploys to production over 5 years and 1
million commits (--quick: a tenth of both), signed in as a viewer, over keep-alive: 90 days and a
year; as it comes, and right after a deploy arrived.

--keep DIR keeps the file there and uses it again.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from urllib.parse import urlencode

from bench.figures import Figure, add_options, median, percentile, print_figures
from bench.servers import ServerProcess, serve_miniapm
from bench.signing_in import Browser, open_browser, sign_in_viewer
from miniapm import clock
from miniapm.clock import DAY, HOUR, MINUTE, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.once import write_once
from miniapm.storage.projects import get_project

YEARS_US = 5 * 365 * DAY
SERVICES = ("web", "api", "worker", "mail")
COMMITS_A_DEPLOY = 10
WARM_UP = 5
GOAL = "<= 150"


def fill(connection: Connection, deploys: int) -> None:
    """Deploys of four services, evenly over five years: of a hundred, three return to the one
    before, one reverts a commit, four are tagged as fixes or failures, ten are redeploys."""
    rng = random.Random(5)
    make_id, now = IdMaker(clock.now), clock.now()
    project = get_project(connection, "default")
    live: dict[str, list[str]] = {service: [] for service in SERVICES}
    for number in range(deploys):
        service = SERVICES[number % len(SERVICES)]
        at = now - (deploys - number) * (YEARS_US // deploys) - rng.randrange(MINUTE)
        fate = rng.random()
        past = live[service]
        sha = f"{rng.getrandbits(160):040x}"
        if fate < 0.03 and len(past) > 1:
            sha = past[-2]
        elif fate < 0.13 and past:
            sha = past[-1]
        deploy = Deploy(
            id=make_id(),
            project_id=project.id,
            service=service,
            env="production",
            git_sha=sha,
            version=f"v{number}",
            status="succeeded",
            deployed_at=at,
            recorded_at=at,
            updated_at=at,
            deployer="github-actions",
            tags=("is_fix",) if 0.13 < fate < 0.16 else ("sev1",) if 0.16 < fate < 0.17 else (),
        )
        insert_row(connection, deploy)
        if fate < 0.13:
            continue
        past.append(sha)
        insert_commits_of(connection, rng, deploy, past[-2] if 0.17 < fate < 0.18 else "")


def insert_commits_of(
    connection: Connection, rng: random.Random, deploy: Deploy, reverted: str
) -> None:
    """What it brought; as many more that those without commits make up for."""
    message = "Charge cards once when the gateway answers twice\n\nThe retry was not idempotent."
    rows = [
        {
            "project_id": deploy.project_id,
            "deploy_id": deploy.id,
            "sha": deploy.git_sha if place == 0 else f"{rng.getrandbits(160):040x}",
            "position": place,
            "message": f"Revert it\n\nThis reverts commit {reverted}."
            if reverted and place == 1
            else message,
            "author": "ana@example.com",
            "committed_at": deploy.deployed_at - int(rng.lognormvariate(1.5, 1.3) * HOUR),
        }
        for place in range(round(COMMITS_A_DEPLOY / 0.87 + rng.uniform(-3, 3)))
    ]
    connection.executemany(
        """/* bench.insert_commits */ insert into deploy_commits
            (project_id, deploy_id, sha, position, message, author, committed_at)
        values (:project_id, :deploy_id, :sha, :position, :message, :author, :committed_at)""",
        rows,
    )


@contextmanager
def prepared(keep: Path | None, deploys: int) -> Iterator[Path]:
    """A directory whose database holds so many deploys."""
    if keep is not None and (keep / "miniapm.db").exists():
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="miniapm-bench-") as made:
        directory = keep or Path(made)
        directory.mkdir(parents=True, exist_ok=True)
        with serve_miniapm(directory):
            pass
        write_once(directory / "miniapm.db", fill, deploys)
        yield directory


def list_pages() -> dict[str, str]:
    base, now = "/p/default/delivery", clock.now()
    return {
        "90d": base,
        "90d_days": f"{base}?period=day",
        "90d_one_service": f"{base}?service=api",
        "1y": f"{base}?{urlencode({'from': to_rfc3339(now - 365 * DAY)})}",
    }


def measure(browser: Browser, server: ServerProcess, times: int) -> list[Figure]:
    figures = []
    for name, path in list_pages().items():
        count = times if "y" not in name.replace("days", "") else max(times // 4, 5)
        browser.time_pages([path] * WARM_UP)
        taken = browser.time_pages([path] * count)
        figures += make_figures(f"delivery_{name}", taken)
    key = server.run("keys", "create", "bench")
    fresh = chain.from_iterable(time_fresh(browser, server, key, n) for n in range(times // 4))
    figures += make_figures("delivery_90d_fresh", list(fresh))
    return figures


def time_fresh(browser: Browser, server: ServerProcess, key: str, number: int) -> list[float]:
    """The page after one more deploy arrived: nothing can be remembered as a whole."""
    post_deploy(server, key, f"{number:040x}")
    return browser.time_pages(["/p/default/delivery"])


def post_deploy(server: ServerProcess, key: str, sha: str) -> None:
    import http.client

    connection = http.client.HTTPConnection(server.address.removeprefix("http://"))
    body = f'{{"git_sha": "{sha}", "service": "web"}}'
    connection.request("POST", "/ingest/deploys", body, headers={"Authorization": f"Bearer {key}"})
    assert connection.getresponse().status == 202
    connection.close()


def make_figures(name: str, taken: list[float]) -> list[Figure]:
    goal = GOAL if "90d" in name else ""
    return [
        Figure(f"{name}_p50", median(taken), "ms", len(taken)),
        Figure(f"{name}_p95", percentile(taken, 0.95), "ms", len(taken), goal),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--keep", type=Path, help="a directory for the file, to use it again")
    options = parser.parse_args()
    deploys, times = (10_000, 40) if options.quick else (100_000, 200)
    with prepared(options.keep, deploys) as directory, serve_miniapm(directory) as server:
        token = sign_in_viewer(directory / "miniapm.db")
        with open_browser(server, token) as browser:
            figures = measure(browser, server, times)
    figures.append(Figure("deploys", deploys, "", 1))
    print_figures(figures, as_json=options.json)


if __name__ == "__main__":
    main()
