"""The comparison replayed at moments of the past: every ten minutes, at every look, as if there had
been a deploy. An hour of moments of one endpoint is kept as 16-bit numbers.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.segments import MinuteSums, Segment
from miniapm.domain.impact.shifts import (
    LEAST_REQUESTS,
    BaseRate,
    find_baseline,
    measure_errors,
    measure_latency,
)
from miniapm.domain.impact.values import Window
from miniapm.domain.impact.windows import LOOKS, PIECE, PIECES, SPARE_BLOCKS, WARM_UP, cut_blocks

STEP = PIECE
"""How far moments are apart; they lie on whole tens of minutes."""
PER_HOUR = HOUR // STEP
REACH = Window(-PIECES * PIECE, WARM_UP + max(LOOKS) * MINUTE)
"""The minutes around a moment that are compared."""
HOUR_REACH = Window(REACH.since, HOUR - STEP + REACH.until)
"""The minutes around an hour, from its beginning, that its moments compare."""
MISSING = -32768
_SHIFT_UNIT = 4000
_Z_UNIT = 100
_LARGEST = 32767

NUMBERS = 6
"""Of each look: slower and faster at the median and at the 95th percentile, then z, then z where
the errors would also be enough to call it a rise (else 0)."""
PER_MOMENT = len(LOOKS) * NUMBERS
UP50, DOWN50, UP95, DOWN95, Z, Z_ENOUGH = range(NUMBERS)
UNITS = (_SHIFT_UNIT, _SHIFT_UNIT, _SHIFT_UNIT, _SHIFT_UNIT, _Z_UNIT, _Z_UNIT)

MEDIAN = 0.5
P95 = 0.95


class DayRates(NamedTuple):
    """Requests and failed ones of an endpoint in the day before a moment."""

    requests: int
    failed: int


def replay_hour(
    minutes: MinuteSums, hour: int, day: DayRates, least_us: float
) -> "array[int] | None":
    """The moments of the hour that begins at `hour` (µs): PER_HOUR x PER_MOMENT numbers; None when
    nothing could be compared at any of them. `minutes` covers HOUR_REACH around it."""
    numbers = array("h", [MISSING]) * (PER_HOUR * PER_MOMENT)
    pieces = _cut_pieces(minutes, hour)
    found = False
    for moment in range(PER_HOUR):
        before = pieces[moment : moment + PIECES]
        if sum(piece.count for piece in before) < LEAST_REQUESTS:
            continue
        at = hour + moment * STEP
        for place, look in enumerate(LOOKS):
            measured = _replay(minutes, before, at, look, day, least_us)
            if measured is not None:
                found = True
                begin = moment * PER_MOMENT + place * NUMBERS
                numbers[begin : begin + NUMBERS] = array("h", measured)
    return numbers if found else None


def _cut_pieces(minutes: MinuteSums, hour: int) -> list[Segment]:
    first = hour - PIECES * PIECE
    return minutes.cut_all(
        [Window(first + n * PIECE, first + (n + 1) * PIECE) for n in range(PIECES + PER_HOUR - 1)]
    )


def _replay(
    minutes: MinuteSums,
    pieces: Sequence[Segment],
    at: int,
    look: int,
    day: DayRates,
    least_us: float,
) -> list[int] | None:
    since = at + WARM_UP
    window = Window(since, since + look * MINUTE)
    whole = minutes.cut(window)
    if whole.count < LEAST_REQUESTS:
        return None
    blocks = minutes.cut_all(cut_blocks(window))
    measured: list[float] = []
    for share in (MEDIAN, P95):
        shift = measure_latency(
            find_baseline(pieces, share), blocks, whole, share, least_us, SPARE_BLOCKS[look]
        )
        measured += (shift.up, shift.down)
    errors = measure_errors(find_base_rate(pieces, day), blocks, whole)
    measured += (errors.z, errors.z if errors.passes else 0.0)
    return [
        max(-_LARGEST, min(_LARGEST, round(value * unit)))
        for value, unit in zip(measured, UNITS, strict=True)
    ]


def find_base_rate(pieces: Sequence[Segment], day: DayRates) -> BaseRate:
    """What errors are compared with: the higher share of the last hour and of the last day."""
    hour = BaseRate(sum(p.failed for p in pieces), sum(p.count for p in pieces))
    whole_day = BaseRate(day.failed, day.requests)
    return max(hour, whole_day, key=lambda rate: (rate.share, rate.requests))
