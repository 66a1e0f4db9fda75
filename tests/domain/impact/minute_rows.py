"""Stored minutes of an endpoint, made for what they should say."""

from collections.abc import Callable, Iterable

from miniapm.clock import MINUTE
from miniapm.domain.histograms import Buckets, bucket_of, encode_buckets
from miniapm.domain.impact.segments import MinuteRow, MinuteSums, Segment
from miniapm.domain.impact.values import Window

MS = 1000


def spread(middle_us: float, requests: int) -> Buckets:
    """So many requests around a duration: half of them below it, some ten times slower."""
    buckets: Buckets = {}
    for number in range(requests):
        factor = 10.0 if number % 20 == 19 else 0.5 + (number % 19) / 18
        bucket = bucket_of(round(middle_us * factor))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets


def make_row(minute: int, middle_us: float, requests: int, failed: int = 0) -> MinuteRow:
    return minute * MINUTE, requests, failed, encode_buckets(spread(middle_us, requests))


def make_rows(
    minutes: Iterable[int],
    middle_us: Callable[[int], float] = lambda _: 100.0 * MS,
    requests: Callable[[int], int] = lambda _: 100,
    failed: Callable[[int], int] = lambda _: 0,
) -> list[MinuteRow]:
    return [make_row(n, middle_us(n), requests(n), failed(n)) for n in minutes]


def make_segment(buckets: Buckets, failed: int = 0) -> Segment:
    """A minute with these requests."""
    row = 0, sum(buckets.values()), failed, encode_buckets(buckets)
    return MinuteSums(Window(0, MINUTE), [row]).cut(Window(0, MINUTE))
