"""`miniapm deploys import --format commits`: commits for deploys that came without."""

from pathlib import Path
from typing import BinaryIO

from miniapm.cli.deploys_import_write import open_write
from miniapm.cli.output import print_json
from miniapm.cli.progress import Bar
from miniapm.domain.deploys.commit_lines import CommitLine, place_commits, read_commit_line
from miniapm.domain.deploys.importing import parse_lines, read_lines
from miniapm.domain.parts import cut_in_parts
from miniapm.exceptions import Invalid
from miniapm.printable import escape_controls
from miniapm.storage.deploys.commit_history import (
    find_without_commits,
    give_commits,
    store_commits,
)

_AT_ONCE = 500


def import_commits(
    source: BinaryIO, path: Path, project_id: int, now: int, *, as_json: bool, dry_run: bool
) -> None:
    """Stores the commits of a file and gives them to the deploys that brought them; prints what was
    refused, line by line, and the totals. Invalid when a line was refused."""
    refused: dict[int, Invalid] = {}
    placed = place_commits(_read(source, refused))
    new = deploys = 0
    with open_write(path, project_id, now, dry_run=dry_run) as write:
        bar = Bar("commits", lambda: done / max(len(placed), 1))
        done = 0
        for part in cut_in_parts(placed, _AT_ONCE):
            new += write(store_commits, project_id, part, now)
            done += len(part)
            bar.show(done)
        ids = write(find_without_commits, project_id) if placed else []
        given = Bar("deploys", lambda: done / max(len(ids), 1))
        done = 0
        for some in cut_in_parts(ids, _AT_ONCE):
            deploys += write(give_commits, project_id, some, now)
            done += len(some)
            given.show(done)
        bar.end()
        given.end()
    totals = {
        "new": new,
        "already_there": len(placed) - new,
        "refused": len(refused),
        "deploys_with_commits": deploys,
    }
    if as_json:
        lines = [
            {"line": number, "result": "refused", "message": error.message, "fields": error.fields}
            for number, error in refused.items()
        ]
        print_json({"format": "commits", "dry_run": dry_run, "lines": lines, **totals})
    else:
        for number, error in refused.items():
            print(f"line {number}: refused: {escape_controls(error.message)}")
        tried = "Tried only, nothing is stored. " if dry_run else ""
        print(
            f"{tried}{len(placed) + len(refused):,} commits: {new:,} new, {len(placed) - new:,} "
            f"already there, {len(refused):,} refused. Of the deploys that came without, "
            f"{deploys:,} have commits."
        )
    if refused:
        raise Invalid(f"{len(refused):,} lines were refused; correct them and import them again.")


def _read(source: BinaryIO, refused: dict[int, Invalid]) -> list[CommitLine]:
    commits = []
    for number, given in parse_lines("ndjson", read_lines(source.readline)):
        try:
            if isinstance(given, Invalid):
                raise given
            assert isinstance(given, dict)
            commits.append(read_commit_line(given))
        except Invalid as error:
            refused[number] = error
    return commits
