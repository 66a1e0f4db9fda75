"""`miniapm deploys export`."""

import csv
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from miniapm import clock
from miniapm.cli.arguments import read_instant
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    ProjectOption,
    YesOption,
    bad_flag,
    find_database,
)
from miniapm.cli.output import tell
from miniapm.cli.prompts import confirm
from miniapm.domain.deploys.exported import to_exported
from miniapm.domain.deploys.sheets import COLUMNS, to_cells
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.transfer import find_all_deploys
from miniapm.storage.once import read_once
from miniapm.storage.projects import choose_project


class ExportFormat(StrEnum):
    """What a line looks like."""

    NDJSON = "ndjson"
    CSV = "csv"


def export_deploys(
    project: ProjectOption = None,
    file_format: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="ndjson: a JSON object a line, complete. csv: for spreadsheets, without commits.",
        ),
    ] = ExportFormat.NDJSON,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 2024-01-15, or 90d ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="The hidden ones, too.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", show_default="stdout")
    ] = None,
    yes: YesOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the deploys of a project to stdout or a file, oldest first.

    `miniapm deploys import` reads both formats back, into this or another project or server, and
    gives the same deploys. Corrections made to them and keys are not part of it; `miniapm backup`
    keeps everything.

    Example: miniapm deploys export --hidden --output deploys.ndjson
    """
    path = find_database(db, config)
    now = clock.now()
    begin, end = read_instant("--since", since, now), read_instant("--until", until, now)
    if begin is not None and end is not None and begin >= end:
        raise bad_flag("--until", "must be after --since")

    def write(connection: Connection, out: BinaryIO) -> int:
        return _export(connection, out, project, file_format, begin, end, hidden=hidden)

    if output is None:
        read_once(path, write, sys.stdout.buffer)
        return
    if output.exists():
        confirm(f"{output} is there already. Overwrite it?", yes=yes)
    count = _write_file(output, lambda out: read_once(path, write, out))
    tell(f"{count:,} {'deploy is' if count == 1 else 'deploys are'} in {output.absolute()}.")


def _export(
    connection: Connection,
    out: BinaryIO,
    project: str | None,
    file_format: ExportFormat,
    since: int | None,
    until: int | None,
    *,
    hidden: bool,
) -> int:
    # one snapshot: a deploy that is corrected meanwhile comes neither twice nor not at all
    connection.execute("begin")
    chosen = choose_project(connection, project)
    write_fields = _start_sheet(out) if file_format is ExportFormat.CSV else _start_lines(out)
    count = 0
    for exported in find_all_deploys(connection, chosen.id, since, until, hidden=hidden):
        write_fields(to_exported(exported, chosen.slug))
        count += 1
    out.flush()
    return count


def _start_lines(out: BinaryIO) -> Callable[[dict[str, object]], None]:
    encode = msgspec.json.Encoder().encode

    def write_line(fields: dict[str, object]) -> None:
        out.write(encode(fields) + b"\n")

    return write_line


def _start_sheet(out: BinaryIO) -> Callable[[dict[str, object]], None]:
    def write_row(cells: tuple[str, ...] | list[str]) -> None:
        row = io.StringIO()
        csv.writer(row).writerow(cells)
        out.write(row.getvalue().encode())

    write_row(COLUMNS)
    return lambda fields: write_row(to_cells(fields))


def _write_file(path: Path, write: Callable[[BinaryIO], int]) -> int:
    """Beside it first: what stands under the name is always a whole export."""
    beside = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        with beside.open("xb") as out:
            count = write(out)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError) and error.filename == str(beside):
            error.filename = str(path)  # what they asked for
        raise
    return count
