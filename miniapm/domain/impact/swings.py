"""How much the figures of an endpoint move without a deploy: what every shift is measured by."""

from array import array
from collections.abc import Iterable, Sequence
from math import log
from typing import NamedTuple

from miniapm.domain.impact.moments import (
    DOWN50,
    DOWN95,
    MISSING,
    NUMBERS,
    PER_MOMENT,
    UNITS,
    UP50,
    UP95,
    Z_ENOUGH,
    Z,
)
from miniapm.domain.impact.shifts import LEAST_SHIFT
from miniapm.domain.impact.values import Metric
from miniapm.domain.impact.windows import DECIDING_LOOK, LOOKS

HISTORY_DAYS = 14
LEAST_MOMENTS = 100
"""With fewer moments of the past the usual swing is guessed, and the verdict is learning."""
_SHARE = 0.99
_LEAST_SWING = 0.03
_LEAST_Z = 2.33
"""What 99 % of a normal distribution lie below."""
_MARGIN = 1.28 / _LEAST_Z
"""Nine in ten of them lie above their middle less so much of that."""


class Swing(NamedTuple):
    """The median of a number at moments without a deploy, and how far 99 % of them lie above it at
    most. `moments` is how many there were, 0 where the swing is a guess."""

    typical: float
    usual: float
    moments: int


class Limits(NamedTuple):
    """From how many usual swings on a look calls a metric changed, and from which shift of a
    duration (a logarithm) on at the least."""

    p50: float
    p95: float
    errors: float
    least_shift: float

    def of(self, metric: Metric) -> float:
        """The limit of a metric."""
        return {"p50": self.p50, "p95": self.p95, "error_rate": self.errors}[metric]


LIMITS = {
    # a burst of five minutes is too usual to be told from a deploy: only what doubles is called
    5: Limits(4.0, 4.0, 3.0, log(2)),
    10: Limits(2.1, 2.5, 1.7, LEAST_SHIFT),
    30: Limits(1.6, 2.0, 1.6, LEAST_SHIFT),
    60: Limits(1.8, 2.0, 1.6, LEAST_SHIFT),
}

_GUESSES = {
    UP50: Swing(0.0, 0.10, 0),
    DOWN50: Swing(0.0, 0.10, 0),
    UP95: Swing(0.0, 0.25, 0),
    DOWN95: Swing(0.0, 0.25, 0),
    Z: Swing(0.0, _LEAST_Z, 0),
}
LEARNING_LIMIT = 4.0


class Swings(NamedTuple):
    """Of one look: the swing of each number, and at how many of the moments the rule would have
    called the endpoint slower or failing."""

    up50: Swing
    down50: Swing
    up95: Swing
    down95: Swing
    z: Swing
    fired50: int
    fired95: int
    fired_errors: int

    @property
    def is_learning(self) -> bool:
        return self.up50.moments == 0


GUESSED = Swings(
    _GUESSES[UP50], _GUESSES[DOWN50], _GUESSES[UP95], _GUESSES[DOWN95], _GUESSES[Z], 0, 0, 0
)


class History(NamedTuple):
    """The swings of an endpoint by look, and the places of the moments at which the rule would
    have called it regressed, by look; `places` are those of all that could be compared."""

    swings: dict[int, Swings]
    fired: dict[int, frozenset[int]]
    places: frozenset[int]


def learn(moments: "array[int]", left_out: Iterable[int] = ()) -> History:
    """The history that `moments` (PER_MOMENT numbers each, in the order of time) tell; those at the
    places `left_out` are not moments without a deploy."""
    skipped = set(left_out)
    swings: dict[int, Swings] = {}
    fired: dict[int, frozenset[int]] = {}
    for place, look in enumerate(LOOKS):
        columns = [moments[place * NUMBERS + number :: PER_MOMENT] for number in range(NUMBERS)]
        swings[look], fired[look] = _learn_look(columns, skipped, LIMITS[look])
    at_decision = moments[LOOKS.index(DECIDING_LOOK) * NUMBERS + UP50 :: PER_MOMENT]
    there = (place for place, value in enumerate(at_decision) if value != MISSING)
    return History(swings, fired, frozenset(there) - skipped)


def _learn_look(
    columns: Sequence["array[int]"], skipped: set[int], limits: Limits
) -> tuple[Swings, frozenset[int]]:
    found: dict[int, Swing] = {}
    usable = [
        place
        for place, value in enumerate(columns[UP50])
        if value != MISSING and place not in skipped
    ]
    if len(usable) < LEAST_MOMENTS:
        return GUESSED, frozenset()
    for number in _GUESSES:
        column = columns[number]
        floor = _LEAST_Z if number == Z else _LEAST_SWING
        found[number] = _find_swing(
            sorted([column[place] for place in usable]), UNITS[number], floor
        )
    fired = _find_fired(columns, usable, found[UP50], found[UP95], found[Z], limits)
    swings = Swings(
        found[UP50], found[DOWN50], found[UP95], found[DOWN95], found[Z],
        *map(len, fired),
    )  # fmt: skip
    return swings, frozenset().union(*fired)


def _find_swing(ordered: list[int], unit: int, floor: float) -> Swing:
    count = len(ordered)
    typical = ordered[count // 2] / unit
    high = ordered[min(count - 1, int(_SHARE * count))] / unit
    # z is judged as it is, not as a move from its median
    if unit == UNITS[Z]:
        return Swing(0.0, max(high, floor), count)
    return Swing(typical, max(high - typical, floor), count)


def find_fired(moments: "array[int]", swings: Swings, look: int) -> frozenset[int]:
    """At which of the moments the rule with these swings calls the endpoint regressed."""
    begin = LOOKS.index(look) * NUMBERS
    columns = [moments[begin + number :: PER_MOMENT] for number in range(NUMBERS)]
    usable = [place for place, value in enumerate(columns[UP50]) if value != MISSING]
    fired = _find_fired(columns, usable, swings.up50, swings.up95, swings.z, LIMITS[look])
    return frozenset().union(*fired)


def _find_fired(
    columns: Sequence["array[int]"],
    usable: Sequence[int],
    up50: Swing,
    up95: Swing,
    z: Swing,
    limits: Limits,
) -> tuple[set[int], set[int], set[int]]:
    """Where the median, the 95th percentile, and the errors would have been called."""
    least50, least95 = (
        max(swing.typical + limit * swing.usual, limits.least_shift)
        for swing, limit in ((up50, limits.p50), (up95, limits.p95))
    )
    return (
        _find_from(columns[UP50], usable, least50 * UNITS[UP50]),
        _find_from(columns[UP95], usable, least95 * UNITS[UP95]),
        _find_from(columns[Z_ENOUGH], usable, limits.errors * z.usual * UNITS[Z_ENOUGH]),
    )


def _find_from(column: "array[int]", usable: Sequence[int], least: float) -> set[int]:
    return {place for place in usable if column[place] >= least}


def smallest_visible(swing: Swing, limit: float, least_shift: float) -> float:
    """The true shift (a logarithm) that is called a change nine times in ten: what is measured of
    it is off by what the endpoint swings by itself."""
    # a guess is generous already
    margin = _MARGIN * swing.usual if swing.moments else 0.0
    return max(least_shift - swing.typical, limit * swing.usual) + margin
