"""How long telemetry is kept, and what has had its time at a given moment."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.clock import DAY, HOUR
from miniapm.domain.spans.batches import OLDEST
from miniapm.domain.spans.ids import to_batch_id


class Lifetimes(NamedTuple):
    """How long each kind is kept, in µs."""

    spans: int
    errors: int
    minutes: int
    ten_minutes: int
    hours: int

    @property
    def resolutions(self) -> dict[int, int]:
        """How long figures are kept, by the minutes that a row of them spans."""
        return {1: self.minutes, 10: self.ten_minutes, 60: self.hours}


class CutOffs(NamedTuple):
    """What lies before these goes; instants in µs."""

    batch_id: int
    """Spans count by their arrival, which the id of their batch tells."""
    occurrences: int
    figures: Mapping[int, int]
    """By resolution in minutes. Whole hours, so that there is something to do once an hour only."""
    dictionaries: int
    """Those that were replaced before: by then, all that needed them should have gone."""
    names: int
    """Endpoints and releases that were last seen before."""


def find_cut_offs(lifetimes: Lifetimes, now: int) -> CutOffs:
    """What has had its time at `now` (µs)."""
    # late telemetry: seen long ago, and yet there until its own time is over
    longest = max(lifetimes) + OLDEST + DAY
    return CutOffs(
        batch_id=to_batch_id(now - lifetimes.spans),
        occurrences=now - lifetimes.errors,
        figures={
            resolution: _floor(now - lifetime)
            for resolution, lifetime in lifetimes.resolutions.items()
        },
        dictionaries=now - lifetimes.spans,
        names=now - longest,
    )


def _floor(instant: int) -> int:
    return instant - instant % HOUR
