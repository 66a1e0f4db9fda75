"""Entries as rows of a list: what was asked, by which release, and where its time went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from miniapm.storage.releases import Endpoint, Release
from miniapm.storage.spans.entries import FoundEntry
from miniapm.web.charts import tell_ms
from miniapm.web.pages.deploy_words import tell_release

_BAR = 100


class Part(NamedTuple):
    """A stretch of a bar: `name` is its class; places of 100."""

    name: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry, told. `link` and `trace_id` are "" where it came without a trace; the bar is of
    the time of the slowest on the page."""

    id: int
    at: int
    endpoint: str
    service: str
    env: str
    version: str
    deploy_id: int | None
    duration: str
    bar: tuple[Part, ...]
    failed: bool
    status: str
    database: str
    http: str
    link: str
    trace_id: str


def tell_entries(
    entries: list[FoundEntry],
    endpoints: Mapping[int, Endpoint],
    releases: Mapping[int, Release],
) -> tuple[EntryRow, ...]:
    """Entries as rows."""
    longest = max((entry.duration_us for entry in entries), default=0) or 1
    return tuple(
        _tell(entry, endpoints.get(entry.endpoint_id), releases.get(entry.release_id), longest)
        for entry in entries
    )


def _tell(
    entry: FoundEntry, endpoint: Endpoint | None, release: Release | None, longest: int
) -> EntryRow:
    env = release.env if release else ""
    return EntryRow(
        id=entry.id,
        at=entry.started_at,
        endpoint=endpoint.name if endpoint else "unknown",
        service=release.service if release else "",
        env=env,
        version=tell_release(release.version, release.revision) if release else "",
        deploy_id=release.deploy_id if release else None,
        duration=tell_ms(entry.duration_us),
        bar=_draw(entry, longest),
        failed=entry.failed,
        status=tell_outcome(entry),
        database=_tell_calls(entry.database_count, entry.database_us),
        http=_tell_calls(entry.http_count, entry.http_us),
        link=f"{entry.trace_id.hex()}?at={entry.id}" if entry.trace_id else "",
        trace_id=entry.trace_id.hex() if entry.trace_id else "",
    )


def tell_outcome(entry: FoundEntry) -> str:
    """`200`, `500 failed`, `failed`, `ok`."""
    code = "" if entry.status_code is None else str(entry.status_code)
    if entry.failed:
        return f"{code} failed".strip()
    return code or "ok"


def _tell_calls(count: int, took_us: int) -> str:
    return f"{count:,} in {tell_ms(took_us)}" if count else ""


def _draw(entry: FoundEntry, longest: int) -> tuple[Part, ...]:
    """Its time as a part of the longest, and in it what databases and other services had: these
    may overlap, so together they have no more than all of it."""
    whole = _BAR * entry.duration_us / longest
    database = min(whole, _BAR * entry.database_us / longest)
    http = min(whole - database, _BAR * entry.http_us / longest)
    parts = (
        Part("all", 0, round(max(whole, 0.5), 1)),
        Part("database", 0, round(database, 1)),
        Part("http", round(database, 1), round(http, 1)),
    )
    return tuple(part for part in parts if part.width)
