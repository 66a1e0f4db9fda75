"""`miniapm deploys import`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from miniapm import clock
from miniapm.cli.deploys_import_report import ImportReport
from miniapm.cli.options import ConfigOption, DatabaseOption, JsonOption, load_settings
from miniapm.config import Config
from miniapm.domain.deploys.exported import ExportedDeploy
from miniapm.domain.deploys.importing import (
    GivenLine,
    guess_format,
    parse_lines,
    read_defaults,
    read_deploy,
    read_lines,
)
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import DEFAULT_ENV, Announcement
from miniapm.domain.ids import IdMaker
from miniapm.exceptions import Busy, Invalid
from miniapm.storage.deploys.record import Recorded
from miniapm.storage.deploys.transfer import record_lines, rehearse
from miniapm.storage.once import read_once, write_once
from miniapm.storage.projects import choose_project

LINES_A_TRANSACTION = 500
# files from spreadsheets are often the newest first: so many lines are put into order
LINES_AT_ONCE = 10 * LINES_A_TRANSACTION

Read = Announcement | ExportedDeploy
Store = Callable[[Sequence[Read]], list[Recorded]]


class ImportFormat(StrEnum):
    """What a line looks like."""

    NDJSON = "ndjson"
    CSV = "csv"
    CAPISTRANO = "capistrano"


def import_deploys(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file; - reads from standard input.")
    ],
    project: Annotated[
        str | None,
        typer.Option(
            metavar="SLUG", help="Into this one.", show_default="the only one, or default"
        ),
    ] = None,
    env: Annotated[
        str, typer.Option(help="The environment of lines that name none.")
    ] = DEFAULT_ENV,
    service: Annotated[
        str | None,
        typer.Option(help="The service of lines that name none.", show_default="the slug"),
    ] = None,
    file_format: Annotated[
        ImportFormat | None,
        typer.Option("--format", help="What the file is.", show_default="by name or content"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would happen; store nothing.")
    ] = False,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Record deploys of the past from a file.

    It works while a server runs or while it does not. The file is one of: NDJSON, a JSON object a
    line with the fields of POST /ingest/deploys; CSV with a row of the same names at its top; the
    revisions.log that Capistrano 3 keeps; or what `miniapm deploys export` wrote. Each deploy needs
    its git_sha and timestamp.

    A line for each deploy says what became of it: new, there already, or refused and why. A bad
    line does not stop the others: correct it and import the file again, what is there already is
    recognised. Exits 2 when a line was refused.

    Example: miniapm deploys import revisions.log --env production --dry-run
    """
    settings = load_settings(db, config).config
    chosen = read_once(settings.database_path, choose_project, project)
    now = clock.now()
    defaults = read_defaults(chosen.id, chosen.slug, env, service, now)
    report = ImportReport(as_json=as_json, dry_run=dry_run)
    with _open(file) as source, _open_store(settings, chosen.id, now, dry_run=dry_run) as store:
        lines = read_lines(source.readline)
        if file_format is None:
            found, lines = guess_format(file, lines)
        else:
            found = file_format.value
        report.start(found)
        _import(parse_lines(found, lines), defaults, now, store, report)
    report.finish()
    if report.refused:
        raise Invalid(
            f"{report.refused:,} of {report.total:,} lines were refused; correct them and "
            "import the file again: the others are recognised."
        )


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
        yield source


@contextmanager
def _open_store(settings: Config, project_id: int, now: int, *, dry_run: bool) -> Iterator[Store]:
    make_id, timeout = IdMaker(clock.now), settings.deploy_timeout
    path = settings.database_path
    if not dry_run:
        yield lambda lines: write_once(path, record_lines, lines, make_id, timeout)
        return
    with rehearse(path, project_id, now) as connection:
        yield lambda lines: record_lines(connection, lines, make_id, timeout)


def _import(
    lines: Iterator[GivenLine], defaults: Defaults, now: int, store: Store, report: ImportReport
) -> None:
    while window := list(islice(lines, LINES_AT_ONCE)):
        read = [_read(line, defaults, now) for line in window]
        try:
            stored = _store_in_order(read, store)
        except Busy as error:
            report.finish()
            raise Busy(
                f"{error.message} The lines before {window[0].number} are stored; import the file "
                "again, they are recognised."
            ) from error
        for line, deploy, place in zip(window, read, stored, strict=True):
            report.add(line.number, deploy, place)


def _store_in_order(read: Sequence[Read | Invalid], store: Store) -> list[Recorded | None]:
    """Stores the oldest first, a few at a time: what a deploy is depends on those before it."""
    places: list[Recorded | None] = [None] * len(read)
    good = [(i, one) for i, one in enumerate(read) if not isinstance(one, Invalid)]
    good.sort(key=lambda pair: _happened_at(pair[1]))
    for start in range(0, len(good), LINES_A_TRANSACTION):
        part = good[start : start + LINES_A_TRANSACTION]
        stored = store([one for _, one in part])
        for (index, _), place in zip(part, stored, strict=True):
            places[index] = place
    return places


def _happened_at(deploy: Read) -> int:
    return deploy.at if isinstance(deploy, Announcement) else deploy.deploy.deployed_at


def _read(line: GivenLine, defaults: Defaults, now: int) -> Read | Invalid:
    if isinstance(line.given, Invalid):
        return line.given
    try:
        return read_deploy(line.given, defaults, now)
    except Invalid as error:
        return error
