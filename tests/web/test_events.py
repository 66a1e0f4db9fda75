"""Server-sent events: told within two seconds, let go at once, never in the way of the exit."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

from miniapm.clock import MINUTE
from tests import factories
from tests.conftest import FakeClock, Server, start_server
from tests.web.deploy_rows import add_deploy
from tests.web.markup import parse_html

EVENTS = "/p/default/events"


@contextmanager
def stream(browser: httpx2.Client, query: str = "") -> Iterator[Iterator[str]]:
    """The blocks of a stream as they come."""
    with browser.stream("GET", EVENTS + query, timeout=5) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _blocks(answer.iter_lines())


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
        else:
            yield "\n".join(block)
            block = []


def wait_until_nobody_listens(server: Server) -> None:
    """Fails after five seconds; looks again and again since nothing tells of it."""

    async def count() -> int:
        # on the loop: it must not change while it is counted
        return server.running.context.live.count

    deadline = time.monotonic() + 5
    while server.run(count()):
        assert time.monotonic() < deadline, "a listener was left behind"


def test_a_deploy_is_told_before_the_first_heartbeat(server: Server) -> None:
    browser = server.sign_in()
    with stream(browser, "?seen=0") as blocks:
        assert next(blocks).startswith("retry:")
        key = server.make_key()
        server.http.post(
            "/ingest/deploys",
            json={"git_sha": "abc"},
            headers={"Authorization": f"Bearer {key}"},
        )
        told = next(blocks)
    [row] = server.rows("select updated_at from deploys")
    assert told.splitlines()[:2] == [f"id: {row['updated_at']}", "event: deploys"]


def test_what_came_between_page_and_stream_is_told(server: Server) -> None:
    browser = server.sign_in()
    page = parse_html(browser.get("/p/default/deploys").text)
    region = page.one("[data-events]")
    add_deploy(server)
    with stream(browser, f"?seen={region['data-change']}") as blocks:
        next(blocks)
        assert "event: deploys" in next(blocks)


def test_a_stream_that_comes_back_hears_what_it_missed(server: Server) -> None:
    old = add_deploy(server)
    add_deploy(server, updated_at=old.updated_at + MINUTE)
    browser = server.sign_in()
    browser.headers["last-event-id"] = str(old.updated_at)
    with stream(browser) as blocks:
        next(blocks)
        assert f"id: {old.updated_at + MINUTE}" in next(blocks)


def test_hiding_and_the_command_lines_changes_are_told(server: Server) -> None:
    deploy = add_deploy(server)
    browser = server.sign_in()
    with stream(browser, f"?seen={deploy.updated_at}") as blocks:
        next(blocks)
        server.clock.move(MINUTE)
        assert (
            server.sign_in("member").post(f"/p/default/deploys/{deploy.id}/hide").status_code == 303
        )
        assert "event: deploys" in next(blocks)


def test_another_projects_deploys_are_not_told(server: Server) -> None:
    server.running.context.live.heartbeat_seconds = 1.2
    server.run(factories.insert_project(server.running.context, "other"))
    with stream(server.sign_in(), "?seen=0") as blocks:
        next(blocks)
        add_deploy(server, project="other")
        # more than two looks later there is still nothing but the heartbeat
        assert next(blocks) == ": still here"
    assert server.sign_in("viewer", ("other",)).get(EVENTS).status_code == 404


def test_a_reader_that_goes_away_is_let_go(server: Server) -> None:
    browser = server.sign_in()
    with stream(browser) as blocks:
        next(blocks)
        browser2 = server.sign_in()
        with stream(browser2) as others:
            next(others)
    wait_until_nobody_listens(server)


def test_too_many_listeners_are_told_to_come_later(server: Server) -> None:
    server.running.context.live.max_listeners = 1
    first, second = server.sign_in(), server.sign_in()
    with stream(first, "?seen=0") as blocks:
        next(blocks)
        add_deploy(server)
        next(blocks)
        answer = second.get(EVENTS)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    wait_until_nobody_listens(server)
    assert second.head(EVENTS).status_code == 200


def test_a_stream_ends_with_its_session(server: Server) -> None:
    server.running.context.live.heartbeat_seconds = 0.2
    browser = server.sign_in()
    with stream(browser) as blocks:
        next(blocks)
        assert next(blocks) == ": still here"
        assert browser.post("/logout").status_code == 303
        # a heartbeat may have been on its way
        assert set(blocks) <= {": still here"}
    wait_until_nobody_listens(server)


def test_a_head_ends(server: Server) -> None:
    answer = server.sign_in().head(EVENTS, timeout=5)
    assert answer.headers["content-type"].startswith("text/event-stream")
    wait_until_nobody_listens(server)


def test_it_asks_for_a_session(server: Server) -> None:
    answer = server.http.get(EVENTS)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={EVENTS}")


def test_listeners_do_not_hold_the_servers_exit(tmp_path: Path, clock: FakeClock) -> None:
    with ExitStack() as stack:
        running = contextmanager(start_server)(tmp_path / "miniapm.db", clock)
        server = stack.enter_context(running)
        cookies = dict(server.sign_in().cookies)
        browser = stack.enter_context(httpx2.Client(base_url=server.url, cookies=cookies))
        blocks = stack.enter_context(stream(browser))
        next(blocks)
        server.loop.call_soon_threadsafe(server.running.stop)
        assert list(blocks) == []
