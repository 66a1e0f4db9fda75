"""Simulated services as the impact rule sees them: rollups of the past, replays, deploys."""

import importlib.util
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from miniapm.clock import HOUR, MINUTE
from miniapm.config import Impact
from miniapm.domain.histograms import DENSE
from miniapm.domain.impact.looks import EndpointPast, look_at
from miniapm.domain.impact.moments import (
    HOUR_REACH,
    MISSING,
    PER_HOUR,
    PER_MOMENT,
    DayRates,
    replay_hour,
)
from miniapm.domain.impact.segments import MinuteRow, MinuteSums
from miniapm.domain.impact.swings import HISTORY_DAYS, History, learn
from miniapm.domain.impact.values import Look, Window
from miniapm.domain.impact.windows import LOOKS, PIECE, PIECES, WARM_UP, Plan, plan_windows

LEAST_US = 1000 * Impact().least_ms
BEFORE = PIECES * PIECE // MINUTE
AFTER = WARM_UP // MINUTE + max(LOOKS)
"""Minutes before and after a deploy that are compared."""
DAY = 24 * 60
HISTORY = HISTORY_DAYS * DAY
_LEARNED_EVERY = 6
_HOURS_OPEN = -(-HOUR_REACH.until // HOUR)
"""Hours so near to a deploy are not replayed yet when it is judged."""


def load_traffic(path: str | None) -> ModuleType:
    """The simulator: the project's own, or a file with its interface."""
    if path is None:
        return importlib.import_module("bench.traffic")
    name = f"traffic_of_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def encode_minutes(minutes: Any, first: int) -> list[MinuteRow]:
    """Minutes of the simulator as rollups, from minute `first` on."""
    # column i of the simulator ends where bucket i + 1 does
    blobs = encode_rows(minutes.buckets, first_bucket=1)
    counts, failed = minutes.buckets.sum(axis=1).tolist(), minutes.errors.tolist()
    started = range(first * MINUTE, (first + len(blobs)) * MINUTE, MINUTE)
    return list(zip(started, counts, failed, blobs, strict=True))


def encode_rows(buckets: NDArray[np.int32], first_bucket: int) -> list[bytes]:
    """What `encode_buckets` makes of each row, a great deal sooner."""
    used = buckets > 0
    lows = used.argmax(axis=1).tolist()
    ends = (buckets.shape[1] - used[:, ::-1].argmax(axis=1)).tolist()
    numbers = used.sum(axis=1).tolist()
    blobs: list[bytes] = []
    for row, low, end, number, largest in zip(
        buckets, lows, ends, numbers, buckets.max(axis=1).tolist(), strict=True
    ):
        width = next(w for w in range(3) if largest < 1 << (8 << w))
        size = 1 << width
        if number and 2 + (end - low) * size < number * (2 + size):
            head = b"%c%b" % (DENSE | width, (low + first_bucket).to_bytes(2, "little"))
            blobs.append(head + row[low:end].astype(f"<u{size}").tobytes())
        else:
            columns = np.flatnonzero(row)
            at = (columns + first_bucket).astype("<u2").tobytes()
            blobs.append(b"%c%b%b" % (width, at, row[columns].astype(f"<u{size}").tobytes()))
    return blobs


class Endpoint:
    """The history of one endpoint, drawn once; instants are minutes of the simulator."""

    def __init__(self, service: Any, place: int) -> None:
        self._service = service
        self.place = place
        self.rows = encode_minutes(service.minutes(place, 0, service.length), 0)
        self._requests = np.cumsum([0] + [row[1] for row in self.rows])
        self._failed = np.cumsum([0] + [row[2] for row in self.rows])
        self._learned: dict[int, History] = {}
        self.moments = self._replay()

    def _replay(self) -> "array[int]":
        """Every whole hour replayed, as the server does as soon as its minutes are there."""
        blank = array("h", [MISSING]) * (PER_HOUR * PER_MOMENT)
        moments = array("h")
        for hour in range(self._service.length // 60):
            at = hour * HOUR
            window = Window(at + HOUR_REACH.since, at + HOUR_REACH.until)
            numbers = None
            if window.until <= self._service.length * MINUTE:
                rows = self.find_rows(window.since // MINUTE, window.until // MINUTE)
                sums = MinuteSums(window, rows)
                numbers = replay_hour(sums, at, self.find_day(hour * 60), LEAST_US)
            moments += blank if numbers is None else numbers
        return moments

    def find_rows(self, since: int, until: int) -> list[MinuteRow]:
        return self.rows[max(0, since) : until]

    def find_day(self, before: int) -> DayRates:
        """The 24 whole hours before."""
        until = before - before % 60
        since = max(0, until - DAY)
        return DayRates(
            int(self._requests[until] - self._requests[since]),
            int(self._failed[until] - self._failed[since]),
        )

    def cut_moments(self, since: int, until: int) -> "array[int]":
        """The moments of whole hours."""
        a_minute = PER_HOUR * PER_MOMENT // 60
        return self.moments[max(0, since) * a_minute : until * a_minute]

    def learn(self, at: int) -> History:
        """What the two weeks before a deploy teach; kept for some hours, as the server does."""
        hour = at // 60
        until = hour - hour % _LEARNED_EVERY - _HOURS_OPEN
        if until not in self._learned:
            moments = self.cut_moments(until * 60 - HISTORY, until * 60)
            self._learned[until] = learn(moments)
        return self._learned[until]

    def deploy(self, at: int, effect: Any) -> EndpointPast:
        """What is known of it when a deploy at minute `at` had that effect."""
        after = self._service.minutes(self.place, at, AFTER, effect)
        return EndpointPast(
            self.place,
            f"GET /{self.place}",
            MinuteSums(
                Window((at - BEFORE) * MINUTE, (at + AFTER) * MINUTE),
                self.find_rows(at - BEFORE, at) + encode_minutes(after, at),
            ),
            self.find_day(at),
            self.learn(at).swings,
        )


class Judged(NamedTuple):
    """The looks at one deploy, in their order."""

    looks: tuple[Look, ...]

    def saw(self, verdict: str, by: int) -> bool:
        """Whether that was the verdict after the look at `by` minutes."""
        return self.at(by).verdict == verdict

    def at(self, minutes: int) -> Look:
        return self.looks[LOOKS.index(minutes)]


def plan_deploy(at: int) -> Plan:
    """A deploy at that minute with no other near it."""
    return plan_windows(at * MINUTE, None, None, None, None)


def judge(at: int, endpoints: Sequence[EndpointPast]) -> Judged:
    """All looks at a deploy."""
    plan = plan_deploy(at)
    return Judged(tuple(look_at(plan, look, endpoints, (), LEAST_US) for look in LOOKS))
