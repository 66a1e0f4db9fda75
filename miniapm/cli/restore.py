"""`miniapm restore`."""

from pathlib import Path
from typing import Annotated

import typer

from miniapm import clock
from miniapm.cli.backup import describe_copy
from miniapm.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
    YesOption,
    find_database,
)
from miniapm.cli.output import print_fields, tell
from miniapm.cli.prompts import confirm
from miniapm.storage.copies import require_file
from miniapm.storage.restore import restore as restore_database


def restore(
    source: Annotated[Path, typer.Argument(metavar="PATH", help="What `backup` wrote.")],
    yes: YesOption = False,
    as_json: JsonOption = False,
    db: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a backup the database. The server has to be stopped.

    The backup is checked first. A database that is there already is replaced with --yes only, and
    kept beside the new one. Everybody has to sign in again. Keys, users and passwords are those of
    the backup: what was revoked or changed since has to be revoked or changed again.

    Example: miniapm restore /backups/miniapm-2025-01-15.db --yes
    """
    path = find_database(db, config)
    require_file(source)
    if path.exists():
        confirm(f"Replace the database {path.absolute()} by {source}?", yes=yes)
    restored = restore_database(path, source, clock.now)
    kept = str(restored.kept) if restored.kept else None
    print_fields({**describe_copy(restored.copy), "kept": kept}, as_json=as_json)
    if kept:
        tell(f"The database that was there before is now {kept}.")
    tell("Sessions and sign-in links are left out: everybody signs in again.")
    tell("Keys and users are those of the backup: revoke again what was revoked since.")
