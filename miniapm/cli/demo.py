"""`miniapm demo`, and the database that `serve --demo` throws away."""

import asyncio
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from miniapm import clock
from miniapm.cli.options import ConfigOption, DatabaseOption, JsonOption, load_settings
from miniapm.cli.output import print_fields, tell
from miniapm.cli.private import keep_files_private

if TYPE_CHECKING:
    from miniapm.config import Config
    from miniapm.storage.demo import Made

SLUG = "demo"
# what SQLite and we keep beside a database
_BESIDE = ("", "-wal", "-shm", "-lock", "-server")


def demo(
    project: Annotated[str, typer.Option(metavar="SLUG", help="What to call the project.")] = SLUG,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a lifelike project to look at: a week of a shop.

    The shop is made up, its deploys are, too. Makes the database if there is none. One with data in
    it is left alone: a demonstration does not belong among what is yours. Takes some seconds, and
    looks the same every time. `miniapm serve --demo` shows the same without leaving anything
    behind.

    Example: miniapm demo --db demo.db
    """
    settings = load_settings(db, config).config
    keep_files_private()
    path = settings.database_path
    made = make(settings, project)
    fields: dict[str, object] = {"path": str(path.absolute()), "project": project}
    print_fields({**fields, **made._asdict()}, as_json=as_json)
    where = f" --db {shlex.quote(db)}" if db else ""
    tell(f"Look at it: miniapm serve{where}")
    tell("It prints a link that signs you in.")


def make(settings: "Config", slug: str = SLUG) -> "Made":
    """Makes the demonstration in the database of `settings`. A database that was not there before
    is not left half made."""
    # only who makes one pays for it: `miniapm --help` imports every command
    from miniapm.domain.scrubbing import make_scrubber
    from miniapm.storage.demo import Terms, make_demo
    from miniapm.storage.impact.judge import Rule

    path = settings.database_path
    terms = Terms(
        Rule(least_us=settings.impact.least_ms * 1000),
        make_scrubber(settings.privacy.scrub),
        settings.lifetimes.minutes,
        settings.deploy_timeout,
    )
    was_there = path.exists()
    with _stops_interrupt():
        try:
            return asyncio.run(make_demo(path, slug, clock.now, terms, _tell_begin))
        except BaseException:
            if not was_there:
                for name in _BESIDE:
                    Path(f"{path}{name}").unlink(missing_ok=True)
            raise


def _tell_begin() -> None:
    tell("Making a week of a made-up shop; this takes some seconds.")


@contextmanager
def throwaway_database() -> Iterator[str]:
    """Where a database may be made that is gone afterwards."""
    with _stops_interrupt(), TemporaryDirectory(prefix="miniapm-demo-") as folder:
        yield str(Path(folder) / "miniapm.db")


@contextmanager
def _stops_interrupt() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: in order, so that what is half made is deleted."""
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
