"""The load: OTLP bodies of a made-up application, as many as one likes and all different.

A pool of bodies is made once: spans in the order in which they end, cut into batches as each
process's BatchSpanProcessor does, over concurrent requests. `Bodies` then goes round the pool and
puts fresh ids and later times into it, which costs a third of a microsecond a span.
"""

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import attrgetter, itemgetter
from random import Random
from typing import NamedTuple

from bench.encoding import EPOCH, Encoding, get_encoder, group_by_scope
from bench.shop import REQUESTS_PER_SECOND, Process, Span, make_processes, make_request

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
BATCH = 512


class Entry(NamedTuple):
    """What a server span should become."""

    service: str
    endpoint: str
    duration_us: int
    failed: bool


@dataclass(frozen=True)
class Template:
    """A body with places for what changes. `parts` alternates between what stays (first) and one
    such place; `order` says for each place which of the new values goes into it: trace ids come
    first, then span ids, then times. `cut` parts new ids (in protobuf also times)."""

    parts: Sequence[bytes]
    order: Sequence[int]
    cut: struct.Struct
    trace_ids: bytes
    span_ids: bytes
    request_starts: "array[int]"
    offsets: "array[int]"
    entries: Sequence[Entry]
    spans: int

    @cached_property
    def pick(self) -> Callable[[tuple[bytes, ...]], tuple[bytes, ...]]:
        return itemgetter(*self.order)

    @cached_property
    def numbers(self) -> tuple[int, int, int, int]:
        """Trace ids, span ids, request starts and offsets from them, each as one long integer."""
        columns = self.trace_ids, self.span_ids, self.request_starts, self.offsets
        trace_ids, span_ids, starts, offsets = (int.from_bytes(c, "little") for c in columns)
        return trace_ids, span_ids, starts, offsets


class Bodies:
    """Ever new bodies out of a pool: body n is always the same for the same `run`.

    Times begin at `begin` (ns) and the pool's own are stretched `stretch` times. Every round
    through the pool has other ids and follows on the one before.
    """

    def __init__(self, pool: "Pool", run: str, begin: int, stretch: int) -> None:
        self._pool, self._run, self._begin, self._stretch = pool, run, begin, stretch

    def make(self, number: int) -> bytes:
        round_number, place = divmod(number, len(self._pool.templates))
        template = self._pool.templates[place]
        parts = list(template.parts)
        parts[1::2] = template.pick(self._values(template, round_number))
        return b"".join(parts)

    def _values(self, template: Template, round_number: int) -> tuple[bytes, ...]:
        """All columns are computed as long integers: one operation for the whole body."""
        random = Random(f"{self._run} {round_number}")
        trace_ids, span_ids, starts, offsets = template.numbers
        traces, spans = len(template.trace_ids) // 16, len(template.span_ids) // 8
        times = len(template.offsets)
        trace_ids ^= random.getrandbits(128) * _ones(traces, 128)
        span_ids ^= random.getrandbits(64) * _ones(spans, 64)
        start = self._begin + round_number * self._pool.length * self._stretch
        stamps = starts * self._stretch + offsets + start * _ones(times, 64)
        columns = (
            trace_ids.to_bytes(traces * 16, "little"),
            span_ids.to_bytes(spans * 8, "little"),
            stamps.to_bytes(times * 8, "little"),
        )
        if self._pool.encoding == "protobuf":
            return template.cut.unpack(b"".join(columns))
        ids = template.cut.unpack((columns[0] + columns[1]).hex().encode())
        return ids + tuple(map(b"%d".__mod__, array("Q", columns[2])))


@cache
def _ones(count: int, bits: int) -> int:
    """`count` lanes of so many bits with a 1 in each."""
    lane = b"\1" + bytes(bits // 8 - 1)
    return int.from_bytes(lane * count, "little")


@dataclass(frozen=True)
class Pool:
    """Templates in the order in which they are sent; their times cover `length` ns."""

    encoding: Encoding
    templates: Sequence[Template]
    length: int

    @cached_property
    def spans(self) -> int:
        return sum(template.spans for template in self.templates)

    def count_entries(self, bodies: int) -> Iterator[tuple[Entry, int]]:
        """The entries of the first so many bodies of a run, and how often each was there."""
        rounds, rest = divmod(bodies, len(self.templates))
        for place, template in enumerate(self.templates):
            times = rounds + (place < rest)
            if times:
                yield from ((entry, times) for entry in template.entries)


def find_stretch(pool_spans: int, pool_length: int, spans: int, period: int) -> int:
    """How far to stretch a pool so that so many spans fill `period` ns; at least 1."""
    return max(1, period * pool_spans // (spans * pool_length))


def make_pool(
    *, encoding: Encoding = "protobuf", spans: int = 120_000, batch: int = BATCH, seed: int = 1
) -> Pool:
    """About so many spans in bodies of `batch` spans; the same for the same arguments."""
    random = Random(seed)
    processes = make_processes(random)
    share = max(batch, spans // len(processes))
    batches: list[tuple[int, Process, list[Span]]] = []
    for process in processes:
        sent = _make_spans(random, process, share)
        # the same number for each, and only full ones: what is left over waits for ever
        for place in range(0, share // batch * batch, batch):
            cut = sent[place : place + batch]
            batches.append((cut[-1].end, process, cut))
    batches.sort(key=itemgetter(0))
    templates = [_make_template(process, cut, encoding) for _, process, cut in batches]
    return Pool(encoding, templates, batches[-1][0])


def _make_spans(random: Random, process: Process, count: int) -> list[Span]:
    """At least `count` spans of a process in the order in which they end."""
    spans: list[Span] = []
    start = 0
    while len(spans) < count + 2000:
        start += int(random.expovariate(REQUESTS_PER_SECOND) * SECOND)
        spans += make_request(random, process, start)
    spans.sort(key=attrgetter("end"))
    return spans


def _make_template(process: Process, spans: list[Span], encoding: Encoding) -> Template:
    body = get_encoder(encoding)(process, spans)
    places: list[tuple[str, int, int]] = []  # column, place in the body, length
    trace_ids, span_ids = bytearray(), bytearray()
    starts, offsets = array("Q"), array("Q")
    end = 0

    def find(column: str, needle: bytes) -> None:
        nonlocal end
        at = body.index(needle, end)
        end = at + len(needle)
        places.append((column, at, len(needle)))

    def find_time(instant: int, request_start: int) -> None:
        stamp = EPOCH + instant
        find("times", b"%d" % stamp if encoding == "json" else struct.pack("<Q", stamp))
        starts.append(request_start)
        offsets.append(instant - request_start)

    def find_id(column: str, value: bytes, into: bytearray) -> None:
        find(column, value.hex().encode() if encoding == "json" else value)
        into += value

    for _, group in group_by_scope(spans):
        for span in group:
            find_id("traces", span.trace_id, trace_ids)
            find_id("spans", span.span_id, span_ids)
            if span.parent_id:
                find_id("spans", span.parent_id, span_ids)
            find_time(span.start, span.request_start)
            find_time(span.end, span.request_start)
            if span.exception:
                find_time(span.end, span.request_start)
    return Template(
        parts=_cut(body, places),
        order=_order(places),
        cut=_make_cut(encoding, len(trace_ids) // 16, len(span_ids) // 8, len(offsets)),
        trace_ids=bytes(trace_ids),
        span_ids=bytes(span_ids),
        request_starts=starts,
        offsets=offsets,
        entries=[
            Entry(process.service, span.name, (span.end - span.start) // 1000, bool(span.exception))
            for span in spans
            if span.attributes.get("http.route")
        ],
        spans=len(spans),
    )


def _make_cut(encoding: Encoding, traces: int, spans: int, times: int) -> struct.Struct:
    if encoding == "json":
        return struct.Struct("32s" * traces + "16s" * spans)
    return struct.Struct("16s" * traces + "8s" * spans + "8s" * times)


def _cut(body: bytes, places: list[tuple[str, int, int]]) -> list[bytes]:
    parts, end = [], 0
    for _, at, length in places:
        parts += [body[end:at], b""]
        end = at + length
    return [*parts, body[end:]]


def _order(places: list[tuple[str, int, int]]) -> list[int]:
    """Where each place's value stands when all trace ids come first, then span ids, then times."""
    columns = [column for column, _, _ in places]
    begin = {
        "traces": 0,
        "spans": columns.count("traces"),
        "times": columns.count("traces") + columns.count("spans"),
    }
    order = []
    for column in columns:
        order.append(begin[column])
        begin[column] += 1
    return order
