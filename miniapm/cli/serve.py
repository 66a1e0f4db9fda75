"""`miniapm serve`: the server in the foreground."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Annotated

import typer

from miniapm.cli.audit import make_act
from miniapm.cli.demo import make as make_demo
from miniapm.cli.demo import throwaway_database
from miniapm.cli.large_blocks import give_back_large_blocks
from miniapm.cli.options import ConfigOption, DatabaseOption, bad_flag, load_settings
from miniapm.cli.private import keep_files_private
from miniapm.config import Config
from miniapm.logs import set_up_logging
from miniapm.storage.login_links import make_login_link
from miniapm.storage.users import count_users

log = logging.getLogger(__name__)
_STOPS = (signal.SIGTERM, signal.SIGINT)


def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 0.0.0.0 for all.  [default: 127.0.0.1]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 takes a free one.  [default: 3000]"),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Show a made-up shop, in a database that is deleted at the end."
        ),
    ] = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Run the server, everything in one process.

    Prints its address and the database, which it makes when there is none, and, while nobody has an
    account, a link that makes the first admin: it works once, within 15 minutes. Other settings
    come from the settings file and the environment: see `miniapm config`. Ctrl-C and SIGTERM stop
    it.

    --demo shows a week of a made-up shop with its deploys, and leaves nothing behind.

    Example: miniapm serve --host 0.0.0.0 --port 8080 --db /var/lib/miniapm/miniapm.db
    """
    if demo and db is not None:
        raise bad_flag("--demo", "brings a database of its own; leave --db out")
    with throwaway_database() if demo else nullcontext(db) as path:
        loaded = load_settings(path, config, server__host=host, server__port=port).config
        set_up_logging(loaded.log.level, loaded.log.format)
        keep_files_private()
        give_back_large_blocks()
        if demo:
            _prepare_demo(loaded)
        with _signals_waiting():
            _run(loaded)
    log.info("stopped")


def _prepare_demo(config: Config) -> None:
    from miniapm.app import listen

    # better now than after some seconds of work
    listen(config.server.host, config.server.port).close()
    make_demo(config)


@contextmanager
def _signals_waiting() -> Iterator[None]:
    """Until the server can stop in order, a signal waits; after it stopped, uvicorn raises the
    signal again, which has been obeyed by then."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    handlers = {number: signal.signal(number, lambda *_: None) for number in _STOPS}
    try:
        yield
    finally:
        # a start that failed must not leave its children deaf
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _run(config: Config) -> None:
    # only who serves pays for the server: `miniapm --help` imports every command
    import uvloop

    from miniapm.app import Running, run_server

    async def announce(running: Running) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        database = running.context.database
        address = config.server.public_url or running.address
        lines = [f"miniapm serves {address}", f"Database: {database.path.absolute()}"]
        if not await database.read(count_users):
            token = await database.write(make_login_link, make_act(), None)
            lines += [
                "Nobody has an account yet. This link makes the first admin, once, within 15 "
                "minutes:",
                f"{address}/login?token={token}",
            ]
        with suppress(OSError):  # whoever started us need not listen
            print("\n".join(lines), flush=True)
        log.info("serving %s from %s", running.address, database.path.absolute())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_server(config, announce))
