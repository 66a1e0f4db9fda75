"""Traffic of a made-up service whose figures are as restless as those of real ones.

Minute after minute each endpoint has a histogram of durations and a count of failed requests. What
makes them move without any deploy: the time of day, slow wandering (of the service and of each
endpoint alone), the share of requests that take the slow path, bursts of slowness, bursts of
errors. Amounts were fitted to public series of production: with TYPICAL, 99 % of ten-minute medians
lie within about 5 % of the hour before, and 95th percentiles within 17 %; with NOISY it is twice
that, and something bursts every few hours.

Minutes count from the beginning of the history, durations are µs. Column i of a histogram counts
what took more than 2^(i/16) and at most 2^((i+1)/16) µs. Every deploy begins with a cold start:
half as slow again, fading within minutes.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr

Floats = NDArray[np.float64]

MINUTES_A_DAY = 24 * 60
COLUMNS = 480
_LN_COLUMN = np.log(2) / 16
_UPPER_BOUNDS = _LN_COLUMN * np.arange(1, COLUMNS)

# distributions are tabulated for slow-downs of e^-1.5 to e^3.5
_LEAST_SHIFT, _MOST_SHIFT, _SHIFT_STEP = -1.5, 3.5, 0.005

_VERY_SLOW_SHARE, _VERY_SLOW, _VERY_SLOW_SPREAD = 0.002, np.log(40), 0.8
_NEVER = 1e-12
_COLD_START, _COLD_MINUTES = np.log(1.5), 1.5
_LONG_MEMORY, _SHORT_MEMORY = 0.9, 0.8


@dataclass(frozen=True)
class Effect:
    """What a deploy does to an endpoint: durations and requests times so much, so much more of the
    requests on the slow path, and at least this share of them failing."""

    latency: float = 1.0
    rate: float = 1.0
    slow_share: float = 0.0
    error_rate: float = 0.0


@dataclass(frozen=True)
class Noise:
    """How far things wander (1: as far as in the restless half of real services), and how often a
    day an endpoint, or all of them together, are slow for some minutes."""

    wandering: float
    own_bursts: float
    common_bursts: float


TYPICAL = Noise(wandering=0.5, own_bursts=0.2, common_bursts=0.6)
NOISY = Noise(wandering=1.0, own_bursts=1.0, common_bursts=3.0)


@dataclass(frozen=True)
class Minutes:
    """Some minutes of an endpoint: a row of COLUMNS for each, and how many requests failed."""

    buckets: NDArray[np.int32]
    errors: NDArray[np.int64]


class Service:
    """Endpoints with so many requests a second on average, observed for so many days."""

    def __init__(
        self, seed: int, rates: list[float], days: int = 28, noise: Noise = TYPICAL
    ) -> None:
        self.seed = seed
        self.length = days * MINUTES_A_DAY
        random = np.random.default_rng([seed, 0])
        together = noise.wandering * _wander(random, self.length, _LONG_MEMORY, 0.03)
        together += _burst(random, self.length, noise.common_bursts, (1.2, 2.0), 15)
        outages = _burst(random, self.length, noise.own_bursts, (3.0, 20.0), 10)
        self._endpoints = [
            _Endpoint(np.random.default_rng([seed, 1, place]), rate, noise, together, outages)
            for place, rate in enumerate(rates)
        ]

    def deploys(self, every: int = 60) -> NDArray[np.int64]:
        """When deploys could have been: about `every` so many minutes of the second half."""
        random = np.random.default_rng([self.seed, 2])
        planned = np.arange(self.length // 2 + 90, self.length - 150, every)
        return planned + random.integers(0, max(1, every // 2), len(planned))

    def minutes(
        self, endpoint: int, first: int, count: int, effect: Effect | None = None
    ) -> Minutes:
        """So many minutes from `first` on, which is that of a deploy when there is an effect (none
        at all is `Effect()`). The same question has the same answer; another one, even about the
        same minutes, is answered by other requests of the same service."""
        key = [self.seed, 3, endpoint, first, count]
        if effect is not None:
            key += [round(1_000_000 * value) for value in astuple(effect)]
        random = np.random.default_rng(key)
        slower = np.zeros(count)
        if effect is not None:
            slower += np.log(effect.latency)
            slower += _COLD_START * np.exp(-np.arange(count) / _COLD_MINUTES)
        return self._endpoints[endpoint].draw(random, first, slower, effect or Effect())


class _Endpoint:
    """Durations come from three paths: most are quick, some slow, a few very slow. A minute moves
    all three together (`_shift`, a logarithm) and the share of the slow one."""

    def __init__(
        self,
        random: np.random.Generator,
        rate: float,
        noise: Noise,
        together: Floats,
        outages: Floats,
    ) -> None:
        length = len(together)
        clock = 2 * np.pi * np.arange(length) / MINUTES_A_DAY
        mornings = 2 * np.pi * (540 + random.uniform(-60, 60)) / MINUTES_A_DAY
        busy = np.exp(_wander(random, length, _SHORT_MEMORY, 0.1))
        self._requests = 60 * rate * busy * (1 + 0.6 * np.sin(clock - mornings))

        quick = random.normal(np.log(60_000), 0.7)
        quick_spread = random.uniform(0.35, 0.7)
        slow = quick + np.log(random.uniform(3, 8))
        slow_spread = random.uniform(0.4, 0.7)
        usually_slow = random.uniform(0.03, 0.10)

        by_hour = random.uniform(0.02, 0.12) * np.sin(clock - 2 * np.pi * 600 / MINUTES_A_DAY)
        alone = _wander(random, length, _LONG_MEMORY, random.uniform(0.01, 0.05))
        self._shift = by_hour + random.uniform(0.5, 1.5) * together + noise.wandering * alone
        self._shift += _burst(random, length, noise.own_bursts, (1.2, 2.5), 15)

        odds = np.log(usually_slow / (1 - usually_slow))
        odds += noise.wandering * _wander(random, length, _LONG_MEMORY, 0.25)
        self._slow_share = 1 / (1 + np.exp(-odds))

        failing = random.lognormal(np.log(0.0007), 0.7)
        hit = random.uniform(0, 1) * outages + _wander(random, length, _LONG_MEMORY, 0.4)
        self._failing = np.clip(failing * np.exp(hit), 0, 0.5)

        self._paths = [
            _tabulate(quick, quick_spread),
            _tabulate(slow, slow_spread),
            _tabulate(quick + _VERY_SLOW, _VERY_SLOW_SPREAD),
        ]

    def draw(
        self, random: np.random.Generator, first: int, slower: Floats, effect: Effect
    ) -> Minutes:
        now = slice(first, first + len(slower))
        shift = np.clip(self._shift[now] + slower, _LEAST_SHIFT, _MOST_SHIFT - _SHIFT_STEP)
        row = np.rint((shift - _LEAST_SHIFT) / _SHIFT_STEP).astype(int)
        slow = np.clip(self._slow_share[now] + effect.slow_share, 0, 0.6)
        shares = [1 - slow - _VERY_SLOW_SHARE, slow, np.full(len(slow), _VERY_SLOW_SHARE)]
        used = self._find_used(row)
        expected = np.zeros((len(slower), used.stop - used.start))
        for share, path in zip(shares, self._paths, strict=True):
            expected += share[:, None] * path[row, used]
        expected *= effect.rate * self._requests[now, None]
        buckets = np.zeros((len(slower), COLUMNS), np.int32)
        buckets[:, used] = random.poisson(expected)
        failing = np.maximum(self._failing[now], effect.error_rate)
        return Minutes(buckets, random.binomial(buckets.sum(axis=1), failing))

    def _find_used(self, row: NDArray[np.intp]) -> slice:
        """The columns in which there can be anything with these shifts."""
        shifts = slice(row.min(), row.max() + 1)
        largest = np.max([path[shifts].max(axis=0) for path in self._paths], axis=0)
        used = np.flatnonzero(largest > _NEVER)
        return slice(int(used[0]), int(used[-1]) + 1)


def _wander(random: np.random.Generator, length: int, memory: float, spread: float) -> Floats:
    """A series around 0 of that standard deviation in which each minute keeps the share `memory` of
    the one before (an autoregression of first order, in its steady state from the beginning)."""
    news = random.normal(0, spread, length)
    news[1:] *= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], news), dtype=np.float64)


def _burst(
    random: np.random.Generator,
    length: int,
    a_day: float,
    factor: tuple[float, float],
    longest: int,
) -> Floats:
    """Logarithms of a factor that is 1 but for two to `longest` minutes, so often a day."""
    series = np.zeros(length)
    for _ in range(random.poisson(a_day * length / MINUTES_A_DAY)):
        begin = random.integers(0, length)
        minutes = random.integers(2, longest + 1)
        during = series[begin : begin + minutes]
        np.maximum(during, np.log(random.uniform(*factor)), out=during)
    return series


def _tabulate(centre: float, spread: float) -> Floats:
    """The shares of a lognormal distribution in each column, a row for each shift; what is beyond
    the first and the last column counts there."""
    shifts = np.arange(_LEAST_SHIFT, _MOST_SHIFT, _SHIFT_STEP)
    below = ndtr((_UPPER_BOUNDS[None, :] - centre - shifts[:, None]) / spread)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)
