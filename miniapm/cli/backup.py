"""`miniapm backup`."""

from pathlib import Path
from typing import Annotated

import typer

from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    YesOption,
    find_database,
)
from miniapm.cli.output import print_fields, tell
from miniapm.cli.prompts import confirm
from miniapm.storage.backup import back_up
from miniapm.storage.copies import Copy


def backup(
    target: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")],
    yes: YesOption = False,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the whole database to one file.

    It works while a server runs or while it does not. The file is consistent: the database as it
    was at one moment. It is checked before it gets its name, and only its owner may read it: it
    holds password hashes. A file that is there already is replaced with --yes only. `miniapm
    restore` puts it back.

    Example: miniapm backup "/backups/miniapm-$(date +%F).db"
    """
    if target.is_file():
        confirm(f"{target.absolute()} is there already. Overwrite it?", yes=yes)
    copy = back_up(find_database(db, config), target)
    print_fields(describe_copy(copy), as_json=as_json)
    if not as_json:
        tell("The copy is checked and whole.")


def describe_copy(copy: Copy) -> dict[str, object]:
    """What a person may want to know of a copy: where, how large, how many rows."""
    return {
        "path": str(copy.path),
        "size_bytes": copy.size_bytes,
        "layout": copy.layout,
        "rows": sum(copy.rows.values()),
        **{name: copy.rows.get(name, 0) for name in ("projects", "deploys", "keys", "users")},
    }
