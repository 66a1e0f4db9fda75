"""What the jobs of the server tell, as it noted them: whether figures and retention keep up."""

from collections.abc import Iterator

from miniapm.clock import to_rfc3339
from miniapm.domain.doctor import Finding
from miniapm.domain.retention import Lifetimes
from miniapm.storage.connection import Connection
from miniapm.storage.jobs import JobRow, find_jobs, find_lifetimes
from miniapm.storage.retention.lag import explain_lag, find_lag

_TOLD_JOBS = ("flush rollups", "retention")


def examine_jobs(
    connection: Connection, lifetimes: Lifetimes, now: int, *, is_served: bool
) -> Iterator[Finding]:
    """Whether figures and retention keep up, for all projects; `lifetimes` are the settings, unless
    the server has noted its own."""
    jobs = find_jobs(connection)
    lag = explain_lag(find_lag(connection), find_lifetimes(connection) or lifetimes, now)
    for sentence in lag:
        yield Finding(
            # without a server nothing can keep up: that is told where the server is
            "problem" if is_served else "note",
            "telemetry",
            f"Telemetry is behind: {sentence}.",
            "A running server catches up by itself; if it does not, see its log.",
        )
    ran = [f"`{name}` last at {_at(jobs[name])}" for name in _TOLD_JOBS if name in jobs]
    if ran and not lag:
        yield Finding("ok", "telemetry", f"The jobs keep up: {', '.join(ran)}.")
    for job in jobs.values():
        if job.failures:
            yield Finding(
                "note",
                "telemetry",
                f"The job `{job.name}` failed {job.failures} times in a row ({job.error}); "
                f"it last worked at {_at(job)}.",
                "See the server's log.",
            )


def _at(job: JobRow) -> str:
    return "no time yet" if job.finished_at is None else to_rfc3339(job.finished_at)
