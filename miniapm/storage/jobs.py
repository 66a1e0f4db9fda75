"""How the background jobs fare, as the server notes it for other processes."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.retention import Lifetimes
from miniapm.storage.connection import Connection


class JobRow(NamedTuple):
    """A job when it was noted. `finished_at` (µs): when it last did what it should; `failures`
    counts those in a row since."""

    name: str
    finished_at: int | None
    failures: int
    error: str
    noted_at: int


def write_jobs(connection: Connection, rows: Sequence[JobRow]) -> None:
    """Notes `rows` in place of all that was noted before."""
    connection.execute("/* jobs.delete */ delete from jobs")
    connection.executemany(
        """/* jobs.insert */ insert into jobs (name, finished_at, failures, error, noted_at)
        values (:name, :finished_at, :failures, :error, :noted_at)""",
        rows,
    )


def find_jobs(connection: Connection) -> dict[str, JobRow]:
    """What was noted last, by name."""
    rows = connection.execute(
        "/* jobs.find */ select name, finished_at, failures, error, noted_at from jobs"
    )
    return {row["name"]: JobRow(*row) for row in rows}


def write_lifetimes(connection: Connection, lifetimes: Lifetimes) -> None:
    """Notes by which settings the server deletes."""
    connection.executemany(
        """/* lifetimes.write */ insert into lifetimes (kind, lifetime_us)
        values (:kind, :lifetime_us)
        on conflict (kind) do update set lifetime_us = excluded.lifetime_us""",
        list(lifetimes._asdict().items()),
    )


def find_lifetimes(connection: Connection) -> Lifetimes | None:
    """By which settings the server deletes; None when none has noted it."""
    rows = connection.execute("/* lifetimes.find */ select kind, lifetime_us from lifetimes")
    found = dict(rows.fetchall())
    if not found.keys() >= set(Lifetimes._fields):
        return None
    return Lifetimes(*(found[kind] for kind in Lifetimes._fields))
