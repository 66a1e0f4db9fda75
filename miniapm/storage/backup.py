"""One consistent file from a database that may be in use."""

from pathlib import Path

from miniapm.exceptions import Invalid, Unavailable
from miniapm.storage.copies import Copy, check_copy, refuse_target, vacuum_into, written_beside
from miniapm.storage.once import open_existing


def back_up(database: Path, target: Path) -> Copy:
    """Writes the whole database to `target`, replacing a file that is there; mode 0600.

    Works while a server runs. Invalid for a target that cannot be one, Busy for a full disk.
    """
    target, database = target.resolve(), database.resolve()
    refuse_target(target, database)
    with open_existing(database) as connection, written_beside(target, ".tmp") as beside:
        vacuum_into(connection, beside)
        try:
            copy = check_copy(beside)
        except Invalid as error:
            raise Unavailable(
                f"The copy of {database} was not kept: {error.message} `miniapm doctor` says more."
            ) from error
    return copy._replace(path=target)
