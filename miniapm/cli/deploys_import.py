"""`miniapm deploys import`."""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, get_args

import typer

from miniapm import clock
from miniapm.cli.deploys_import_commits import import_commits
from miniapm.cli.deploys_import_git import read_tags
from miniapm.cli.deploys_import_lines import Store, import_lines, open_store
from miniapm.cli.deploys_import_report import ImportReport
from miniapm.cli.options import ConfigOption, DatabaseOption, JsonOption, bad_flag, load_settings
from miniapm.cli.output import tell
from miniapm.cli.progress import Bar
from miniapm.domain.deploys.importing import (
    Format,
    guess_by_name,
    guess_format,
    parse_lines,
    read_defaults,
    read_lines,
    read_pieces,
)
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.revisions_log import TIME_UNKNOWN
from miniapm.domain.deploys.values import DEFAULT_ENV
from miniapm.exceptions import Invalid
from miniapm.storage.once import read_once
from miniapm.storage.projects import choose_project


class ImportFormat(StrEnum):
    """What a file is."""

    NDJSON = "ndjson"
    CSV = "csv"
    CAPISTRANO = "capistrano"
    GIT_TAGS = "git-tags"
    GITHUB = "github"
    COMMITS = "commits"


def import_deploys(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The file, or the directory of a git repository; - reads from standard input.",
        ),
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
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Only tags that are called so, like 'v*'; may be repeated."
        ),
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
    revisions.log that Capistrano 3 keeps; what `miniapm deploys export` wrote; GitHub's deployments
    as `gh api --paginate` prints them, with their statuses or without (those count as succeeded).
    Each deploy needs its git_sha and timestamp. Of a git repository, each tag is a deploy, with the
    commits since the tag before.

    With --format commits a line is a commit (sha, timestamp; message, author, repository, branch),
    for the lead time of deploys that came without.

    A line for each deploy says what became of it: new, updated where it tells more of one that is
    there, there already, left out, or refused and why.
    A bad line does not stop the others: correct it and import the file again, what is there already
    is recognised. Exits 2 when a line was refused.

    Example: miniapm deploys import revisions.log --env production --dry-run

    Example: miniapm deploys import ~/src/shop --match 'v*' --service shop
    """
    settings = load_settings(db, config).config
    chosen = read_once(settings.database_path, choose_project, project)
    now = clock.now()
    defaults = read_defaults(chosen.id, chosen.slug, env, service, now)
    if file_format is ImportFormat.COMMITS:
        if match:
            raise bad_flag("--match", "is for tags only, and these are commits")
        with _open(file) as source:
            import_commits(
                source, settings.database_path, chosen.id, now, as_json=as_json, dry_run=dry_run
            )
        return
    with open_store(settings, chosen.id, now, dry_run=dry_run) as store:
        if Path(file).is_dir():
            if file_format not in (None, ImportFormat.GIT_TAGS):
                raise bad_flag("--format", "must be git-tags: of a directory the tags are read")
            report = ImportReport(Bar("tags", lambda: None), as_json=as_json, dry_run=dry_run)
            report.start("git-tags")
            import_lines(read_tags(Path(file), match or ()), defaults, now, store, report)
        else:
            with _open(file) as source:
                bar = Bar("lines", _share_of(source))
                report = ImportReport(bar, as_json=as_json, dry_run=dry_run)
                _import_file(source, file, file_format, match or (), defaults, now, store, report)
    report.finish()
    if report.timeless:
        them = "is a rollback" if report.timeless == 1 else "are rollbacks"
        tell(
            f"{report.timeless:,} of them {them}: Capistrano does not log when. Each stands one "
            "second after the line before it, so that recovery looks as short as that until "
            "`miniapm deploys edit ID --timestamp TIME` tells better; `miniapm deploys list --tag "
            f"{TIME_UNKNOWN}` shows them."
        )
    if not report.total:
        fitting = f": no tag is called {' or '.join(match)}" if match else ""
        tell(f"{file} holds nothing to import{fitting}.")
    if report.refused:
        raise Invalid(
            f"{report.refused:,} of {report.total:,} lines were refused; correct them and "
            "import the file again: the others are recognised."
        )


def _import_file(
    source: BinaryIO,
    name: str,
    file_format: ImportFormat | None,
    match: Sequence[str],
    defaults: Defaults,
    now: int,
    store: Store,
    report: ImportReport,
) -> None:
    found: Format | None = guess_by_name(name)
    if file_format is not None:
        found = next((one for one in get_args(Format) if one == file_format.value), None)
    if found == "github":
        # it may stand on one line, however long it is
        lines: Iterator[bytes | None] = read_pieces(source.readline)
    else:
        lines = read_lines(source.readline)
        if found is None:
            found, lines = guess_format(name, lines)
    if match and found != "git-tags":
        raise bad_flag("--match", f"is for tags only, and this is {found}")
    report.start(found)
    import_lines(
        parse_lines(found, lines, match),
        defaults,
        now,
        store,
        report,
        "github" if found == "github" else "import",
    )


def _share_of(source: BinaryIO) -> Callable[[], float | None]:
    """How much of a file is read, 0 to 1; of a pipe nobody knows."""
    try:
        size = os.fstat(source.fileno())
    except OSError:
        return lambda: None
    if not stat.S_ISREG(size.st_mode) or not size.st_size:
        return lambda: None
    return lambda: source.tell() / size.st_size


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
        yield source
