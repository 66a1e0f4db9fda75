"""Pictures of the pages for a look: `scripts/screenshots.py FOLDER` (needs playwright, chromium).

Starts a server of its own over a new database for each state of the timeline, and photographs it in
light, dark and at phone width.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from miniapm.clock import DAY, HOUR, MINUTE, now
from miniapm.domain.deploys.values import Commit, Deploy
from miniapm.domain.ids import IdMaker
from miniapm.domain.tokens import hash_token, make_token
from miniapm.domain.users import User
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_commits, insert_row
from miniapm.storage.once import write_once
from miniapm.storage.projects import find_projects
from miniapm.storage.refusals import Refusal, insert_refusal
from miniapm.storage.sessions import insert_session
from miniapm.storage.users import insert_user

CHROMIUM = "/usr/bin/chromium"
FORCED = (4, 5, 7)  # a rollback, what it takes back, what it restores
LANES = [(s, e) for s in ("shop", "worker") for e in ("production", "staging", "preview")][:5]
TITLES = (
    "Charge cards once when the gateway answers twice",
    "Bump the pool to 40 connections",
    "Remove the old checkout behind its flag",
    "",
    "Index orders by customer and day; the nightly report read the whole table",
    "Translate the invoice into Portuguese",
)
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'

LOOKS = (("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light"))

Seed = Callable[[Connection], None]


def insert_deploys(connection: Connection, count: int) -> None:
    """A plausible history: several services, failures, retries and rollbacks."""
    rng = random.Random(7)  # noqa: S311 - a picture, not a secret
    [project] = find_projects(connection)
    make_id = IdMaker(now)
    at = now() - 3 * MINUTE
    shas = ["".join(rng.choices("0123456789abcdef", k=40)) for _ in range(count)]
    for i in range(count):
        service, env = LANES[int(rng.random() ** 2 * len(LANES))]
        back = i + 3 < count and i % 9 == 4
        status = (
            "started"
            if i == 0
            else rng.choices(("succeeded", "failed", "cancelled", "timed_out"), (30, 3, 1, 1))[0]
        )
        sha = shas[i + 3] if back else shas[i]
        deploy = Deploy(
            id=make_id(),
            project_id=project.id,
            service="shop" if i % 9 in FORCED else service,
            env="production" if i % 9 in FORCED else env,
            git_sha=sha,
            status="succeeded" if i % 9 in FORCED else status,  # type: ignore[arg-type]
            deployed_at=at,
            recorded_at=at,
            updated_at=at,
            version=f"v2.{count - i - (3 if back else 0)}.0" if i % 4 or i % 9 in FORCED else None,
            title=rng.choice(TITLES) or None,
            deployer=rng.choice(("ana", "github-actions", "Jörg", None)),
            tags=("hotfix",) if i % 11 == 3 else (),
            started_at=at - rng.randrange(40, 400) * 1_000_000,
            repository="git@github.com:acme/shop.git",
            description="Deployed by the pipeline.\n\nTwo lines." if i % 5 == 0 else None,
        )
        insert_row(connection, deploy)
        if i < 3:
            commits = [
                Commit(shas[j], at - j * HOUR, TITLES[j] or "wip", "Ana")
                for j in range(min(5, count))
            ]
            insert_commits(connection, deploy, commits)
        at -= int(rng.expovariate(1 / (4 * HOUR))) + MINUTE


def seed_one(connection: Connection) -> None:
    insert_deploys(connection, 1)


def seed_many(connection: Connection) -> None:
    insert_deploys(connection, 2000)


def seed_refused(connection: Connection) -> None:
    [project] = find_projects(connection)
    make_id = IdMaker(now)
    cases = (
        (project.id, 400, "git_sha holds '${{ github.sha }}', which was not filled in."),
        (0, 401, "Nobody knows this key; check that it was copied whole."),
    )
    for project_id, status, message in cases:
        body = b'{"git_sha": "${{ github.sha }}", "env": "production"}'
        fields = {"git_sha": "holds a template", "env": "is odd"} if status == 400 else {}
        insert_refusal(
            connection,
            Refusal(
                make_id(), project_id, "/ingest/deploys", None, status, message, fields, body, now()
            ),
        )


def seed_hostile(connection: Connection) -> None:
    """Strings that want to run, to turn the page around, or to be endless."""
    [project] = find_projects(connection)
    make_id = IdMaker(now)
    texts = (
        HOSTILE,
        "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe" * 3,
        "x" * 200,
        "\N{ROCKET}\N{ZERO WIDTH JOINER}\N{FIRE}" * 40,
        "مرحبا بالعالم",
    )
    for i, text in enumerate(texts):
        at = now() - i * 7 * HOUR - (i // 3) * DAY
        deploy = Deploy(
            id=make_id(), project_id=project.id, service=text[:100], env=text[:100],
            git_sha=text[:200], status="succeeded", deployed_at=at, recorded_at=at, updated_at=at,
            version=text[:200], title=text, description=text * 50, deployer=text[:200],
            tags=(text[:100], "b"), external_id=f"{i}{text[:100]}",
            repository="https://gitlab.com/a/b" if i else "git@github.com:a/<b>.git",
            url="javascript:alert(1)" if i == 0 else "https://example.com/" + "y" * 300,
        )  # fmt: skip
        insert_row(connection, deploy)
        commits = [Commit(text[:200], at, text, text[:200])]
        insert_commits(connection, deploy, commits)


def nothing(connection: Connection) -> None:
    """An empty project."""


STATES: dict[str, Seed] = {
    "empty": nothing,
    "refused": seed_refused,
    "one": seed_one,
    "many": seed_many,
    "hostile": seed_hostile,
}


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, Path]]:
    """A server's address and its database."""
    path = folder / "pictures.db"
    command = [sys.executable, "-m", "miniapm", "serve", "--port", "0", "--db", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = ""
        while "http://" not in address:
            address = process.stdout.readline()
        yield "http://" + address.split("http://")[1].split()[0].split("/")[0], path
    finally:
        process.terminate()
        process.wait()


def sign_in(path: Path) -> str:
    """The session token of a new administrator."""
    token = make_token()

    def insert(connection: Connection) -> None:
        user = User(IdMaker(now)(), "ana", "admin", now())
        insert_user(connection, user, "no password")
        insert_session(connection, hash_token(token), user.id, now(), now() + DAY)

    write_once(path, insert)
    return token


def open_page(browser: Browser, address: str, token: str, width: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        timezone_id="Europe/Berlin",
    )
    context.add_cookies([{"name": "miniapm_session", "value": token, "url": address}])
    page = context.new_page()
    page.on("console", lambda message: print("console:", message.text))
    page.on("pageerror", lambda error: print("error:", error))
    page.on("dialog", lambda dialog: print("DIALOG", dialog.message))
    return page


def photograph(browser: Browser, address: str, token: str, state: str, folder: Path) -> None:
    for name, width, scheme in LOOKS:
        page = open_page(browser, address, token, width, scheme)
        page.goto(f"{address}/p/default/deploys")
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"{state}-{name}.png")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            print(f"{state}-{name}: the page is {wide} px too wide")
        link = page.locator(".rev > a")
        if link.count():
            link.nth(min(4, link.count() - 1) if state == "many" else 0).click()
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"{state}-{name}-deploy.png", full_page=True)
            page.locator("details.edit summary").click()
            page.screenshot(path=folder / f"{state}-{name}-edit.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                print(f"{state}-{name}-edit: the page is {wide} px too wide")
        page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("states", nargs="*", default=list(STATES))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for state in arguments.states:
            with (
                tempfile.TemporaryDirectory() as temporary,
                serve(Path(temporary)) as (address, path),
            ):
                write_once(path, STATES[state])
                photograph(browser, address, sign_in(path), state, arguments.folder)
        browser.close()


if __name__ == "__main__":
    main()
