"""The only place that sees every floor: builds the server from values and runs it until it is told
to stop."""

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from miniapm import clock as real_clock
from miniapm.clock import DAY, Clock
from miniapm.config import Config, format_address
from miniapm.domain.ids import IdMaker
from miniapm.domain.scrubbing import make_scrubber
from miniapm.exceptions import Unavailable
from miniapm.jobs import Job, Supervisor
from miniapm.posting import make_post
from miniapm.storage.budget import ByteBudget
from miniapm.storage.connection import Connection
from miniapm.storage.database import Database, open_database
from miniapm.storage.deploys.beside_api import apply_rule
from miniapm.storage.deploys.replays import IDEMPOTENCY_DAYS, delete_replays_before
from miniapm.storage.deploys.timeouts import time_out_started
from miniapm.storage.impact.judge import Rule
from miniapm.storage.impact.watch import LOOK_SECONDS as JUDGE_SECONDS
from miniapm.storage.impact.watch import ImpactWatch
from miniapm.storage.jobs import write_jobs
from miniapm.storage.login_links import delete_expired_links
from miniapm.storage.observed.watch import LOOK_SECONDS as LOOK_AT_RELEASES_SECONDS
from miniapm.storage.observed.watch import ReleaseWatch
from miniapm.storage.projects import Project, find_projects, insert_project
from miniapm.storage.receivers.deliveries import KEPT_FOR, delete_deliveries_before
from miniapm.storage.receivers.forgetting import (
    GATES_KEPT_FOR,
    RELEASES_KEPT_FOR,
    delete_gates_before,
    delete_releases_before,
)
from miniapm.storage.retention.job import RetentionJob
from miniapm.storage.server_lock import find_server_address, write_server_address
from miniapm.storage.sessions import delete_expired_sessions
from miniapm.storage.spans.names import NameCaps
from miniapm.storage.spans.packing_job import LOOK_SECONDS as PACK_SECONDS
from miniapm.storage.spans.packing_job import PackingJob
from miniapm.storage.spans.training import DictionaryTraining
from miniapm.storage.webhooks.job import LOOK_SECONDS as TELL_SECONDS
from miniapm.storage.webhooks.job import WebhookJob
from miniapm.web.context import Context
from miniapm.web.ingest.calls import QuickAnswer
from miniapm.web.keyring import Keyring
from miniapm.web.live import LOOK_SECONDS, LiveFeed
from miniapm.web.passwords import PasswordHashing
from miniapm.web.protocol import make_protocol
from miniapm.web.protocol_limits import ProtocolLimits
from miniapm.web.rate_limits import RateLimit
from miniapm.web.refusals import RefusalRecorder
from miniapm.web.serving import Site

STOP_SECONDS = 3
GC_THRESHOLD = 20_000
SECURITY_HEADERS = [
    (
        "content-security-policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("x-frame-options", "DENY"),
]


@asynccontextmanager
async def open_context(config: Config, clock: Clock = real_clock.now) -> AsyncIterator[Context]:
    """Everything a server needs, with the database open and the first project made."""
    make_id = IdMaker(clock)
    budget = ByteBudget(config.limits.queue_bytes)
    async with open_database(
        config.database_path,
        clock,
        make_id,
        readers=config.storage.readers,
        read_seconds=config.storage.read_seconds,
        budget=budget,
        caps=_name_caps(config),
    ) as database:
        await database.write(_ensure_project, make_id(), clock())
        await database.write(apply_rule, config.delivery.github_beside_api, clock())
        keyring = Keyring(database, clock)
        await keyring.refresh()
        scrubber = make_scrubber(config.privacy.scrub)
        # one each: with more threads beside Python's one lock, a third of the rate is lost
        with (
            ThreadPoolExecutor(1, "digester") as digester,
            ThreadPoolExecutor(1, "large digester") as large_digester,
        ):
            yield Context(
                config=config,
                clock=clock,
                database=database,
                make_id=make_id,
                keyring=keyring,
                refusals=RefusalRecorder(database, clock, make_id, scrubber),
                live=LiveFeed(database),
                jobs=Supervisor(clock),
                sign_ins=RateLimit(config.limits.logins_per_minute, clock),
                passwords=PasswordHashing(),
                started_at=clock(),
                deploy_timeout=config.deploy_timeout,
                budget=budget,
                digester=digester,
                large_digester=large_digester,
                scrubber=scrubber,
            )


def create_app(context: Context) -> Site:
    """The ASGI application over `context`."""
    return Site(context)


def list_jobs(context: Context) -> list[Job]:
    """What runs beside the requests."""
    database: Database = context.database
    clock = context.clock
    timeout = context.config.deploy_timeout

    async def end_overdue() -> None:
        await database.write(time_out_started, timeout, clock())

    async def look_for_database() -> None:
        if not database.is_in_place:
            raise Unavailable(
                f"The database {database.path.absolute()} was moved, replaced or deleted under "
                "the server: what is written now is lost. Restart the server."
            )

    async def flush_rollups() -> None:
        await database.write(database.telemetry.flush)

    async def forget() -> None:
        await database.write(delete_replays_before, clock() - IDEMPOTENCY_DAYS * DAY)
        await database.write(delete_expired_sessions, clock())
        await database.write(delete_expired_links, clock())
        await database.write(delete_deliveries_before, clock() - KEPT_FOR)
        await database.write(delete_gates_before, clock() - GATES_KEPT_FOR)
        while await database.write(delete_releases_before, clock() - RELEASES_KEPT_FOR):
            pass

    async def note_jobs() -> None:
        assert isinstance(context.jobs, Supervisor)
        await database.write(write_jobs, context.jobs.list_states())

    releases = ReleaseWatch(database, clock, context.make_id, context.config.deploys.observe)
    training = DictionaryTraining(database, clock)
    packing = PackingJob(database, context.large_digester, context.budget)
    impact = make_impact_watch(context)
    webhooks = WebhookJob(
        database,
        clock,
        context.make_id,
        post=make_post(allow_private=context.config.webhooks.allow_private),
        scrubber=context.scrubber,
        per_hour=context.config.webhooks.per_hour,
        find_address=lambda: (
            context.config.server.public_url
            or find_server_address(database.path)
            or context.config.address
        ),
    )
    retention = RetentionJob(database, clock, context.config.lifetimes)
    return [
        Job("refresh keys", 0.5, context.keyring.refresh),
        Job("tell listeners", LOOK_SECONDS, context.live.look),
        Job("flush rollups", 1.0, flush_rollups),
        Job("look at releases", LOOK_AT_RELEASES_SECONDS, releases.look),
        Job("judge deploys", JUDGE_SECONDS, impact.look),
        Job("train dictionaries", 10.0, training.run),
        Job("pack spans", PACK_SECONDS, packing.run),
        Job("tell webhooks", TELL_SECONDS, webhooks.run),
        Job("retention", 60.0, retention.run),
        Job("note jobs", 60.0, note_jobs),
        Job("time out deploys", min(30.0, timeout / 1_000_000 / 2), end_overdue),
        Job("look for the database", 10.0, look_for_database),
        Job("note key use", 15.0, context.keyring.write_last_used),
        Job("forget old sessions and retries", 600.0, forget),
    ]


def make_impact_watch(context: Context) -> ImpactWatch:
    """What judges deploys, over the database of `context`."""
    config = context.config
    return ImpactWatch(
        context.database,
        context.clock,
        context.make_id,
        Rule(least_us=config.impact.least_ms * 1000),
        keep=config.lifetimes.minutes,
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes requests."""

    address: str
    context: Context
    stop: Callable[[], None]


async def run_server(
    config: Config,
    announce: Callable[[Running], Awaitable[None] | None],
    clock: Clock = real_clock.now,
) -> None:
    """Serves until SIGTERM, SIGINT or `stop()`. `announce` is called once requests are taken.

    Unavailable when the port or the database cannot be had.
    """
    listener = listen(config.server.host, config.server.port)
    with listener:
        async with open_context(config, clock) as context:
            site = create_app(context)
            server = _Server(uvicorn_config(config, site, site.answer_quickly), context)
            host, port = listener.getsockname()[:2]
            running = Running(format_address(host, port), context, server.stop)
            with contextlib.suppress(OSError):  # no reason not to serve: commands guess then
                write_server_address(context.database.path, running.address)
            server.on_started = lambda: announce(running)
            supervisor = context.jobs
            assert isinstance(supervisor, Supervisor)
            jobs = asyncio.create_task(supervisor.run(list_jobs(context)))
            # what is here now stays: no use in looking through it again for every few requests
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            try:
                await server.serve(sockets=[listener])
            finally:
                jobs.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await jobs
                await context.keyring.write_last_used()


class _Server(uvicorn.Server):
    """uvicorn's server, saying when it is up and letting live pages go when it stops."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._context = context
        self.on_started: Callable[[], Awaitable[None] | None] = lambda: None

    def stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        announced = self.on_started()
        if announced is not None:
            await announced

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._context.live.close()
        await super().shutdown(sockets)


def uvicorn_config(
    config: Config, app: ASGIApp, quick: QuickAnswer | None = None
) -> uvicorn.Config:
    """uvicorn as we run it: our headers on every answer, no log of its own, a bounded stop."""
    limits = config.limits
    proxies = [part.strip() for part in config.server.trusted_proxies.split(",") if part.strip()]
    return uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http=make_protocol(
            ProtocolLimits(
                header_bytes=limits.header_bytes,
                header_count=limits.header_count,
                header_seconds=limits.header_seconds,
                body_seconds=limits.body_seconds,
            ),
            quick,
        ),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        headers=SECURITY_HEADERS,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=30,
    )


def _name_caps(config: Config) -> NameCaps:
    limits = config.limits
    return NameCaps(limits.services, limits.releases_per_service, limits.endpoints_per_service)


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; Unavailable when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Cannot listen on {host} port {port}: {error.strerror}. Is another server running? "
            "--port N takes another one."
        ) from None
    return listener


def _ensure_project(connection: Connection, project_id: int, now: int) -> None:
    if not find_projects(connection):
        insert_project(connection, Project(project_id, "default", "Default", now))
