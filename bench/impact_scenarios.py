"""The trials behind the figures of the impact bench: each part is one simulated service."""

from collections import Counter
from dataclasses import dataclass
from time import process_time
from typing import Any, Literal, NamedTuple

import numpy as np

from bench.simulated import (
    BEFORE,
    DAY,
    HISTORY,
    LEAST_US,
    Endpoint,
    Judged,
    judge,
    load_traffic,
    plan_deploy,
)
from miniapm.clock import MINUTE
from miniapm.domain.impact.looks import EndpointPast, look_at
from miniapm.domain.impact.segments import MinuteSums
from miniapm.domain.impact.swings import find_fired, learn
from miniapm.domain.impact.values import Window
from miniapm.domain.impact.windows import DECIDING_LOOK, WARM_UP

Noise = Literal["typical", "noisy"]
Kind = Literal["crowd", "sparse", "mix", "cpu"]

ENDPOINTS = 20
SPARSE_ENDPOINTS = 10
REPLAYED_LOOKS = (10, 60)
CPU_ENDPOINTS = 100
CPU_TURNS = 15


class Trial(NamedTuple):
    """A figure about one changed endpoint: what it suffers, and by which look it has to be seen."""

    name: str
    effect: dict[str, float]
    by: int


CROWD_TRIALS = (
    Trial("seen_latency50_10rps_10min", {"latency": 1.5}, 10),
    Trial("seen_latency20_10rps_10min", {"latency": 1.2}, 10),
    Trial("seen_latency20_10rps_30min", {"latency": 1.2}, 30),
    Trial("seen_errors1_10rps_10min", {"error_rate": 0.01}, 10),
)
SPARSE_TRIALS = {
    1.0: (
        Trial("seen_latency50_1rps_10min", {"latency": 1.5}, 10),
        Trial("seen_errors1_1rps_30min", {"error_rate": 0.01}, 30),
        Trial("seen_errors5_1rps_10min", {"error_rate": 0.05}, 10),
    ),
    0.1: (Trial("seen_latency100_01rps_30min", {"latency": 2.0}, 30),),
}
UNSEEN_UNSAID = "latency100_01rps_unseen_but_unchanged"
"""Trials of 0.1 requests/s in which the rule neither saw the change nor said that it could not."""


@dataclass(frozen=True)
class Part:
    """A service to simulate, `deploys` times deployed, or as often as there is time for."""

    kind: Kind
    seed: int
    deploys: int
    noise: Noise = "typical"
    rate: float = 10.0
    traffic: str | None = None
    endpoints: int = ENDPOINTS
    days: int = 2 * HISTORY // DAY


class Tally:
    """How often something happened, and out of how many."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.of: Counter[str] = Counter()
        self.costs: list[float] = []

    def note(self, name: str, happened: bool) -> None:
        self.count(name, int(happened), 1)

    def count(self, name: str, hits: int, of: int) -> None:
        self.hits[name] += hits
        self.of[name] += of

    def add(self, other: "Tally") -> None:
        self.hits.update(other.hits)
        self.of.update(other.of)
        self.costs += other.costs

    def percent(self, name: str) -> float:
        return 100 * self.hits[name] / max(1, self.of[name])


def run_part(part: Part) -> Tally:
    """The trials of one part; in a process of its own."""
    runs = {"crowd": _run_crowd, "sparse": _run_sparse, "mix": _run_mix, "cpu": _run_cpu}
    tally = Tally()
    runs[part.kind](part, tally)
    return tally


def _make_service(part: Part) -> tuple[Any, Any]:
    traffic = load_traffic(part.traffic)
    noise = traffic.NOISY if part.noise == "noisy" else traffic.TYPICAL
    rates = [part.rate] * part.endpoints
    return traffic, traffic.Service(part.seed, rates, part.days, noise)


def _find_deploys(service: Any, wanted: int) -> list[int]:
    """The minutes of that many deploys, over the whole second half; hourly at most."""
    room = service.length // 2 - 240
    return [int(at) for at in service.deploys(min(60, max(2, room // wanted)))]


def _run_crowd(part: Part, tally: Tally) -> None:
    traffic, service = _make_service(part)
    endpoints = [Endpoint(service, place) for place in range(part.endpoints)]
    _compare_replays(endpoints, part.noise, tally)
    for number, at in enumerate(_find_deploys(service, part.deploys)):
        unchanged = judge(at, [endpoint.deploy(at, traffic.Effect()) for endpoint in endpoints])
        _note_unchanged(unchanged, part.noise, tally)
        if part.noise == "typical":
            _try(CROWD_TRIALS, endpoints[number % len(endpoints)], at, traffic, tally)


def _note_unchanged(judged: Judged, noise: Noise, tally: Tally) -> None:
    early = judged.saw("regressed", 5) or judged.saw("regressed", DECIDING_LOOK)
    tally.note(f"false_alarm_provisional_{noise}", early)
    tally.note(f"false_alarm_final_{noise}", judged.saw("regressed", 60))
    improved = any(judged.saw("improved", look) for look in (10, 30, 60))
    tally.note(f"false_improved_{noise}", judged.saw("improved", 60))
    tally.note(f"improved_at_any_look_{noise}", improved)
    tally.note(f"not_enough_data_{noise}", judged.saw("not_enough_data", 60))


def _run_sparse(part: Part, tally: Tally) -> None:
    traffic, service = _make_service(part)
    endpoints = [Endpoint(service, place) for place in range(part.endpoints)]
    for number, at in enumerate(_find_deploys(service, part.deploys)):
        endpoint = endpoints[number % len(endpoints)]
        _try(SPARSE_TRIALS[part.rate], endpoint, at, traffic, tally)


def _try(
    trials: tuple[Trial, ...], endpoint: Endpoint, at: int, traffic: Any, tally: Tally
) -> None:
    judged: dict[str, Judged] = {}
    for name, effect, by in trials:
        key = str(effect)
        if key not in judged:
            judged[key] = judge(at, [endpoint.deploy(at, traffic.Effect(**effect))])
        seen = judged[key].saw("regressed", by)
        tally.note(name, seen)
        if name == "seen_latency100_01rps_30min":
            tally.note(UNSEEN_UNSAID, not seen and not judged[key].saw("not_enough_data", by))


def _run_mix(part: Part, tally: Tally) -> None:
    """Of some endpoints the fastest and the slowest; the slow one gets twice the requests."""
    traffic, service = _make_service(part)
    first_hour = [service.minutes(place, 0, 60).buckets.sum(0) for place in range(part.endpoints)]
    middles = [int(np.searchsorted(np.cumsum(all_), all_.sum() / 2)) for all_ in first_hour]
    fast, slow = (Endpoint(service, middles.index(end(middles))) for end in (min, max))
    for at in _find_deploys(service, part.deploys)[: part.deploys]:
        twice = slow.deploy(at, traffic.Effect(rate=2.0))
        judged = judge(at, [fast.deploy(at, traffic.Effect()), twice])
        tally.note("mix_called_unchanged", judged.saw("unchanged", 60))


def _compare_replays(endpoints: list[Endpoint], noise: Noise, tally: Tally) -> None:
    """The alarms of the first two weeks, from which the swings are learned, and those that the rule
    with these swings gives in the two weeks that follow."""
    for look in REPLAYED_LOOKS:
        predicted: set[int] = set()
        followed: set[int] = set()
        moments = HISTORY // 10
        for endpoint in endpoints:
            history = learn(endpoint.cut_moments(0, HISTORY))
            following = endpoint.cut_moments(HISTORY, 2 * HISTORY)
            predicted |= history.fired[look]
            followed |= find_fired(following, history.swings[look], look)
        tally.count(f"replay_predicted_{noise}_{look}", len(predicted), moments)
        tally.count(f"replay_followed_{noise}_{look}", len(followed), moments)


def _run_cpu(part: Part, tally: Tally) -> None:
    """The look at 10 minutes at a service of many endpoints (some, taken several times)."""
    _, service = _make_service(part)
    endpoints = [Endpoint(service, place) for place in range(part.endpoints)]
    at = service.length - 120
    plan = plan_deploy(at)
    window = Window((at - BEFORE) * MINUTE, (at + DECIDING_LOOK) * MINUTE + WARM_UP)
    stored = [
        (endpoint, endpoint.find_rows(window.since // MINUTE, window.until // MINUTE))
        for endpoint in endpoints
    ]
    stored *= CPU_ENDPOINTS // len(stored)
    known = {endpoint.place: endpoint.learn(at).swings for endpoint in endpoints}
    for _ in range(CPU_TURNS):
        began = process_time()
        pasts = [
            EndpointPast(
                number, f"GET /{number}", MinuteSums(window, rows), endpoint.find_day(at),
                known[endpoint.place],
            )
            for number, (endpoint, rows) in enumerate(stored)
        ]  # fmt: skip
        look_at(plan, DECIDING_LOOK, pasts, (), LEAST_US)
        tally.costs.append(1000 * (process_time() - began))
