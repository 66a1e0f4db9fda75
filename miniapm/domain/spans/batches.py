"""Building a batch out of decoded spans: shared by protobuf and JSON.

The reader of a format walks the spans and hands over what matters; here it becomes entries with the
time of their children, the sorted tails of trace ids, and a compressed body.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from miniapm.clock import DAY, MINUTE
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.spans.categories import Category
from miniapm.domain.spans.compression import Compress, compress_plain
from miniapm.domain.spans.values import EarlyCalls, Entry, Format, ReleaseName, SpanBatch

OLDEST = 14 * DAY
NEWEST = 10 * MINUTE
LONGEST = OLDEST
TAIL_BYTES = 4
"""Of a trace id the end is random: 64-bit ids begin with zeros, others with the time."""
DIGEST_BYTES = 8
_NONE: Sequence[int] = ()


class Window(NamedTuple):
    """Which event times are taken, in ns since the epoch, both included."""

    low: int
    high: int


def window_at(now: int) -> Window:
    """What is taken at `now` (µs): 14 days back, 10 minutes ahead."""
    return Window((now - OLDEST) * 1000, (now + NEWEST) * 1000)


class EntrySpan(NamedTuple):
    """An entry span as it was read; times in ns."""

    trace_id: bytes
    endpoint: str
    started: int
    ended: int
    failed: bool
    status_code: int | None


class ResourceEntries:
    """The entries of one resource, and by trace id how long each client span took, in ns."""

    __slots__ = ("database", "entries", "http", "release")

    def __init__(self, release: ReleaseName) -> None:
        self.release = release
        self.entries: list[EntrySpan] = []
        self.database: defaultdict[bytes, list[int]] = defaultdict(list)
        self.http: defaultdict[bytes, list[int]] = defaultdict(list)

    def calls(self, category: Category) -> defaultdict[bytes, list[int]]:
        """Where the client spans of a category, which is not "", are noted."""
        return self.database if category == "database" else self.http

    def finish(self) -> Iterable[Entry]:
        """The entries, each with its children's time; of several in a trace the longest has it."""
        take_database, take_http = self.database.pop, self.http.pop
        release = self.release
        for trace_id, endpoint, started, ended, failed, status_code in sorted(
            self.entries, key=_duration, reverse=True
        ):
            database, http = take_database(trace_id, _NONE), take_http(trace_id, _NONE)
            yield Entry(
                release,
                endpoint,
                started // 1000,
                _to_us(ended - started),
                failed,
                status_code,
                trace_id,
                _to_us(sum(database)) if database else 0,
                len(database),
                _to_us(sum(http)) if http else 0,
                len(http),
            )

    def find_early_calls(self) -> Iterable[EarlyCalls]:
        """After `finish`: what was called in traces whose entry is not among these."""
        service = self.release.service
        for trace_id in {**self.database, **self.http}:
            database = self.database.get(trace_id, _NONE)
            http = self.http.get(trace_id, _NONE)
            yield EarlyCalls(
                service,
                trace_id,
                _to_us(sum(database)) if database else 0,
                len(database),
                _to_us(sum(http)) if http else 0,
                len(http),
            )


def _to_us(duration_ns: int) -> int:
    # a clock that jumped, or a sender who means harm, must not break every sum it is part of
    # this way round it costs half of what min() and max() do
    duration = duration_ns // 1000 if duration_ns > 0 else 0
    return duration if duration < LONGEST else LONGEST


def _duration(entry: EntrySpan) -> int:
    return entry.ended - entry.started


def digest_body(body: bytes) -> bytes:
    """What a retry of the same body is recognised by. SHA-256, for processors compute it."""
    return sha256(body, usedforsecurity=False).digest()[:DIGEST_BYTES]


def join_tails(trace_ids: Iterable[bytes]) -> bytes:
    """The sorted last bytes of trace ids, one after the other."""
    return b"".join(sorted({trace_id[-TAIL_BYTES:] for trace_id in trace_ids}))


def has_tail(tails: bytes, trace_id: bytes) -> bool:
    """Whether a batch with these `tails` may hold spans of `trace_id`, which may be its end."""
    tail = trace_id[-TAIL_BYTES:]
    place = tails.find(tail)
    while place % TAIL_BYTES and place >= 0:
        place = tails.find(tail, place + 1)
    return place >= 0


def build_batch(
    format_: Format,
    body: bytes,
    *,
    trace_ids: Iterable[bytes],
    starts: list[int],
    entries: list[Entry],
    occurrences: list[Occurrence],
    early_calls: Sequence[EarlyCalls] = (),
    compress: Compress = compress_plain,
) -> SpanBatch:
    """The batch to store of a whole `body`; `starts` in ns, one a span."""
    ended = max((e.started_at + e.duration_us for e in entries), default=0)
    return SpanBatch(
        format=format_,
        body=compress(body),
        digest=digest_body(body),
        tails=join_tails(trace_ids),
        span_count=len(starts),
        started_at=min(starts) // 1000,
        ended_at=max(max(starts) // 1000, ended),
        entries=entries,
        early_calls=early_calls,
        occurrences=occurrences,
    )
