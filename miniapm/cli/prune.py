"""`miniapm prune`: deletes what has had its time, or erases a trace or a person."""

import contextlib
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from miniapm import clock
from miniapm.cli.audit import make_act
from miniapm.cli.erasing import Eraser, Named, tell_erased
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ProjectOption,
    YesOption,
    bad_flag,
    load_settings,
)
from miniapm.cli.output import print_fields, tell
from miniapm.cli.prompts import confirm
from miniapm.domain.durations import format_duration
from miniapm.domain.retention import CutOffs, Lifetimes, find_cut_offs
from miniapm.exceptions import Unavailable
from miniapm.storage.clearing import clear_log
from miniapm.storage.erasure import Erased
from miniapm.storage.jobs import find_lifetimes
from miniapm.storage.once import read_once
from miniapm.storage.projects import Project, choose_project
from miniapm.storage.retention.count import count_old
from miniapm.storage.retention.names import UnusedNames
from miniapm.storage.retention.stages import list_arrivals, list_figures
from miniapm.storage.retention.sweep import Sweep, sweep_once
from miniapm.storage.server_lock import is_served, server_lock

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_KINDS = ("spans", "requests", "occurrences", "rollups", "error_counts", "endpoints", "releases")


def prune(
    trace: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Erase this trace, and the errors that name it."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Erase this person, by the id that the application sends.",
        ),
    ] = None,
    project: ProjectOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete what is too old, or erase a trace or a person.

    The settings under `retention` say how long what is kept; a running server deletes by itself,
    every minute. The file does not get smaller: its pages are used again. Deploys and groups of
    errors are kept.

    --trace and --user erase what names a trace or a person, of whatever age, in one project. They
    show how much that is and ask first, at a terminal. There is no undo.

    --user takes the id that the application sends. It erases the errors that have it as user_id, or
    in their context as user.id or enduser.id; the traces that have it as user.id or enduser.id of a
    span, with their errors; and the refused calls that have it as a word. In the message by which
    an error is listed, a mark takes the place of the id.

    What stays: figures; deploys; spans and errors that name the person only in another way, such as
    by user.email, in a path or in a text; the last 200 messages to each webhook; the dictionary by
    which spans are compressed, which may hold texts of some; backups that were made before. A
    running server clears its log, the file that ends in -wal, within about a minute.

    Example: miniapm prune --user 4711 --project web-shop
    """
    if trace is not None and user is not None:
        raise bad_flag("--trace", "cannot go together with --user; erase one after the other")
    settings = load_settings(db, config).config
    path = settings.database_path
    if trace is None and user is None:
        if project is not None:
            raise bad_flag("--project", "goes with --trace or --user; prune looks at all projects")
        _prune(path, settings.lifetimes, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    owner = read_once(path, choose_project, project)
    named = (
        Named("user", _read_user(user or ""))
        if trace is None
        else Named("trace", _read_trace(trace))
    )
    _erase(path, owner, named, dry_run=dry_run, yes=yes, as_json=as_json)


def _erase(
    path: Path, project: Project, named: Named, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    def run(*, is_rehearsal: bool) -> Erased:
        return Eraser(path, project.id, make_act(), is_rehearsal=is_rehearsal).erase(named)

    missing = f"Nothing of {named} is in {project.slug}; look at the id, and at --project."
    if dry_run or (not yes and sys.stdin.isatty()):
        found = run(is_rehearsal=True)
        if dry_run or not any(found):
            print_fields(found._asdict(), as_json=as_json)
            told = f"Nothing was erased in {project.slug}: this is what would go."
            tell(told if any(found) else missing)
            return
        with contextlib.redirect_stdout(sys.stderr):
            print_fields(found._asdict(), as_json=False)
    # a script has named what to erase, and can be asked nothing
    agrees = yes or not sys.stdin.isatty()
    confirm(f"Erase {named} from {project.slug}? There is no undo.", yes=agrees)
    erased = run(is_rehearsal=False)
    print_fields(erased._asdict(), as_json=as_json)
    tell(f"Erased from {project.slug}: {tell_erased(erased)}." if any(erased) else missing)
    if any(erased) and not clear_log(path):
        until = (
            "the server clears it, within about a minute"
            if is_served(path)
            else "whoever reads the database now has closed it"
        )
        tell(f"The log, {path.name}-wal, may hold it until {until}.")


def _prune(path: Path, lifetimes: Lifetimes, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    cut_offs = find_cut_offs(lifetimes, clock.now())
    if dry_run:
        print_fields(read_once(path, count_old, cut_offs), as_json=as_json)
        tell("Nothing was deleted: this is what would go.")
        return
    _compare(lifetimes, read_once(path, find_lifetimes), yes=yes)
    sweep = Sweep([*list_arrivals(cut_offs), *list_figures(cut_offs)])
    sweep_once(path, sweep)
    removed = sweep.removed + _prune_names(path, cut_offs)
    print_fields({kind: removed[kind] for kind in _KINDS}, as_json=as_json)


def _compare(ours: Lifetimes, servers: Lifetimes | None, *, yes: bool) -> None:
    """A server has its settings from an environment that a shell may lack: days would be lost."""
    shorter = [
        f"{kind} for {format_duration(theirs)}, these settings for {format_duration(mine)}"
        for kind, mine, theirs in zip(Lifetimes._fields, ours, servers or ours, strict=True)
        if mine < theirs
    ]
    if shorter:
        confirm(
            f"The server keeps {'; '.join(shorter)}. Delete by these settings (MINIAPM_RETENTION_"
            "..., --config)?",
            yes=yes,
        )


def _prune_names(path: Path, cut_offs: CutOffs) -> Counter[str]:
    """A running server remembers names: there, they are left to its own job."""
    sweep = Sweep([UnusedNames(cut_offs.names)])
    with contextlib.suppress(Unavailable), server_lock(path):
        sweep_once(path, sweep)
    return sweep.removed


def _read_trace(given: str) -> str:
    trace_id = given.strip().lower()
    if not _TRACE_ID.fullmatch(trace_id):
        raise bad_flag("--trace", "must be the 32 hexadecimal digits of a trace id")
    return trace_id


def _read_user(given: str) -> str:
    if not given.strip():
        raise bad_flag("--user", "is empty; name the person as the application does")
    return given
