"""Where an import writes: to the database, or to a copy that is thrown away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from miniapm.storage.deploys.transfer import rehearse
from miniapm.storage.once import open_writer

Write = Callable[..., Any]
"""Calls a function of storage with a connection and what follows: a transaction each."""


@contextmanager
def open_write(path: Path, project_id: int, now: int, *, dry_run: bool) -> Iterator[Write]:
    """Nothing is stored in a dry run, whose calls see what those before them wrote."""
    if not dry_run:
        with open_writer(path) as write:
            yield lambda query, *args: write(lambda connection: query(connection, *args))
        return
    with rehearse(path, project_id, now) as connection:
        yield lambda query, *args: query(connection, *args)
