"""How long things took, as a histogram that merges by adding.

The buckets are those of OpenTelemetry's exponential histograms at scale 4: their upper bounds grow
by 2^(1/16), so the middle of a bucket is at most 2.2 % off any value in it. Bucket 0 holds 1 µs and
less, bucket n what is in (2^((n-1)/16), 2^(n/16)] µs.
https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import ceil, log2

Buckets = dict[int, int]
"""How many fell into each bucket; buckets with none are left out."""

SCALE = 16
"""Buckets for each doubling."""

_COUNT_TYPES = ("B", "H", "I", "Q")
_COUNT_LIMITS = (1 << 8, 1 << 16, 1 << 32, 1 << 64)


def bucket_of(duration_us: int) -> int:
    """The bucket of a duration in µs."""
    return ceil(log2(duration_us) * SCALE) if duration_us > 1 else 0


def middle_of(bucket: int) -> float:
    """The value in µs that stands for `bucket`: the geometric middle."""
    return 1.0 if bucket == 0 else float(2.0 ** ((bucket - 0.5) / SCALE))


def upper_bound_of(bucket: int) -> float:
    """The largest value in µs that falls into `bucket`."""
    return float(2.0 ** (bucket / SCALE))


def encode_buckets(buckets: Mapping[int, int]) -> bytes:
    """A byte for the width of counts, then bucket numbers (16 bit, rising), then their counts."""
    numbers = sorted(buckets)
    counts = [buckets[number] for number in numbers]
    largest = max(counts, default=0)
    width = next(i for i, limit in enumerate(_COUNT_LIMITS) if largest < limit)
    return b"%c%b%b" % (
        width,
        array("H", numbers).tobytes(),
        array(_COUNT_TYPES[width], counts).tobytes(),
    )


def decode_buckets(blob: bytes) -> Iterable[tuple[int, int]]:
    """The (bucket, count) pairs that `encode_buckets` wrote."""
    width = blob[0]
    numbers, counts = array("H"), array(_COUNT_TYPES[width])
    middle = 1 + (len(blob) - 1) * 2 // (2 + (1 << width))
    numbers.frombytes(blob[1:middle])
    counts.frombytes(blob[middle:])
    return zip(numbers, counts, strict=True)


def add_encoded(buckets: Buckets, blob: bytes) -> None:
    """Adds a stored histogram to `buckets`."""
    find = buckets.get
    for number, count in decode_buckets(blob):
        buckets[number] = find(number, 0) + count


def find_percentiles(buckets: Mapping[int, int], shares: Sequence[float]) -> list[float | None]:
    """The durations in µs that each of `shares` (0 to 1, rising) does not exceed; the nearest-rank
    definition. None for all when nothing was counted."""
    total = sum(buckets.values())
    if not total:
        return [None] * len(shares)
    ranks = [max(1, ceil(share * total)) for share in shares]
    found: list[float | None] = []
    seen = 0
    for number in sorted(buckets):
        seen += buckets[number]
        while len(found) < len(ranks) and ranks[len(found)] <= seen:
            found.append(middle_of(number))
    return found


def add_up(blobs: Iterable[bytes]) -> list[int]:
    """The sum of many stored histograms: how many fell into each bucket, from 0 on."""
    by_width: dict[int, tuple[list[bytes], list[bytes]]] = {}
    for blob in blobs:
        width = blob[0]
        parts = by_width.setdefault(width, ([], []))
        middle = 1 + (len(blob) - 1) * 2 // (2 + (1 << width))
        parts[0].append(blob[1:middle])
        parts[1].append(blob[middle:])
    # all numbers of a width at once, into a list: twice as fast as one by one into a dict
    joined = [
        (array("H", b"".join(numbers)), array(_COUNT_TYPES[width], b"".join(counts)))
        for width, (numbers, counts) in by_width.items()
    ]
    totals = [0] * (1 + max((max(numbers, default=0) for numbers, _ in joined), default=0))
    for all_numbers, all_counts in joined:
        for number, count in zip(all_numbers, all_counts, strict=True):
            totals[number] += count
    return totals


def merge_encoded(blobs: Iterable[bytes]) -> Buckets:
    """The sum of many stored histograms."""
    return {number: count for number, count in enumerate(add_up(blobs)) if count}


def find_percentiles_of(totals: Sequence[int], shares: Sequence[float]) -> list[float | None]:
    """As `find_percentiles`, of what `add_up` gives."""
    sums = list(accumulate(totals))
    whole = sums[-1] if sums else 0
    if not whole:
        return [None] * len(shares)
    return [middle_of(bisect_left(sums, max(1, ceil(share * whole)))) for share in shares]
