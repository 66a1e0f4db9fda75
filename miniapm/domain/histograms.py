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

COUNT_TYPES = ("B", "H", "I", "Q")
DENSE_WIDTHS = COUNT_TYPES[:3]
DENSE = 4
"""The bit of the first byte that tells the dense form."""

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
    """The shorter of two forms, both after a byte that names form and width of the counts.

    Sparse: bucket numbers (16 bit, rising), then their counts. Dense: the first bucket's number (16
    bit), then the counts of all buckets up to the last.
    """
    numbers = sorted(buckets)
    counts = [buckets[number] for number in numbers]
    largest = max(counts, default=0)
    width = next(i for i, limit in enumerate(_COUNT_LIMITS) if largest < limit)
    size = 1 << width
    if numbers and width < len(DENSE_WIDTHS):
        first, span = numbers[0], numbers[-1] - numbers[0] + 1
        if 2 + span * size < len(numbers) * (2 + size):
            dense = array(COUNT_TYPES[width], bytes(span * size))
            for number, count in zip(numbers, counts, strict=True):
                dense[number - first] = count
            return b"%c%b%b" % (DENSE | width, first.to_bytes(2, "little"), dense.tobytes())
    return b"%c%b%b" % (
        width,
        array("H", numbers).tobytes(),
        array(COUNT_TYPES[width], counts).tobytes(),
    )


def decode_buckets(blob: bytes) -> Iterable[tuple[int, int]]:
    """The (bucket, count) pairs that `encode_buckets` wrote."""
    if blob[0] & DENSE:
        counts = array(COUNT_TYPES[blob[0] ^ DENSE], blob[3:])
        return ((number, n) for number, n in enumerate(counts, dense_first_of(blob)) if n)
    numbers, counts = join_sparse([blob])
    return zip(numbers, counts, strict=True)


def dense_first_of(blob: bytes) -> int:
    """The first bucket of a histogram in the dense form."""
    return blob[1] | blob[2] << 8


def join_sparse(blobs: Iterable[bytes]) -> tuple["array[int]", "array[int]"]:
    """The bucket numbers and the counts of histograms in the sparse form, counts of one width."""
    width = 0
    numbers, counts = [], []
    for blob in blobs:
        width = blob[0]
        middle = 1 + (len(blob) - 1) * 2 // (2 + (1 << width))
        numbers.append(blob[1:middle])
        counts.append(blob[middle:])
    return array("H", b"".join(numbers)), array(COUNT_TYPES[width], b"".join(counts))


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


def find_percentiles_of(
    totals: Sequence[int], shares: Sequence[float], first: int = 0
) -> list[float | None]:
    """As `find_percentiles`, of how many fell into each bucket, from `first` on."""
    sums = list(accumulate(totals))
    whole = sums[-1] if sums else 0
    if not whole:
        return [None] * len(shares)
    return [middle_of(first + bisect_left(sums, max(1, ceil(share * whole)))) for share in shares]
