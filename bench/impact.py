"""How often the impact rule cries wolf, and how often it sees a change: `scripts/bench impact`.

The rule as shipped judges deploys of simulated services with two weeks of history. `--traffic FILE`
takes another simulator with the interface of `bench/traffic.py`.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from math import sqrt
from multiprocessing import get_context
from statistics import median
from typing import NamedTuple

from bench.figures import add_options
from bench.impact_scenarios import (
    REPLAYED_LOOKS,
    SPARSE_ENDPOINTS,
    SPARSE_TRIALS,
    UNSEEN_UNSAID,
    Noise,
    Part,
    Tally,
    run_part,
)

SEEDS = (101, 102, 103, 104, 105, 106, 107, 108)
QUICK_SEEDS = (101, 102)
DEPLOYS = 2400
QUICK_DEPLOYS = 300
MIX_DEPLOYS = 200
MIX_SEEDS = 4
NOISES: tuple[Noise, ...] = ("typical", "noisy")


class Goal(NamedTuple):
    """What a figure (in percent) promises."""

    name: str
    what: str
    least: float | None = None
    most: float | None = None

    def tell(self) -> str:
        return f"at least {self.least:g} %" if self.most is None else f"at most {self.most:g} %"

    def is_met(self, low: float, high: float) -> bool:
        """Whether it lies beyond no end of the 95 % interval."""
        if self.most is not None:
            return low <= self.most
        return self.least is not None and high >= self.least


GOALS = (
    Goal("false_alarm_final_typical", "false alarms, final, typical", most=1),
    Goal("false_alarm_final_noisy", "false alarms, final, noisy", most=1),
    Goal("false_alarm_provisional_typical", "false alarms, provisional, typical", most=2.5),
    Goal("false_alarm_provisional_noisy", "false alarms, provisional, noisy", most=4),
    Goal("seen_latency50_10rps_10min", "+50 %, 10 requests/s, by 10 min", least=99),
    Goal("seen_latency20_10rps_10min", "+20 %, 10 requests/s, by 10 min", least=80),
    Goal("seen_latency20_10rps_30min", "+20 %, 10 requests/s, by 30 min", least=95),
    Goal("seen_latency50_1rps_10min", "+50 %, 1 request/s, by 10 min", least=90),
    Goal("seen_latency100_01rps_30min", "+100 %, 0.1 requests/s, by 30 min", least=90),
    Goal("seen_errors1_10rps_10min", "errors to 1 %, 10 requests/s, by 10 min", least=90),
    Goal("seen_errors1_1rps_30min", "errors to 1 %, 1 request/s, by 30 min", least=60),
    Goal("seen_errors5_1rps_10min", "errors to 5 %, 1 request/s, by 10 min", least=95),
    Goal("false_improved_typical", "false improvements, typical", most=0.5),
    Goal("false_improved_noisy", "false improvements, noisy", most=1.5),
    Goal("mix_called_unchanged", "another mix of traffic, called unchanged", least=100),
)
OTHERS = (
    UNSEEN_UNSAID,
    "improved_at_any_look_typical",
    "improved_at_any_look_noisy",
    "not_enough_data_typical",
    "not_enough_data_noisy",
)
MOST_REPLAY_POINTS = 1.5
MOST_CPU_MS = 50.0


def main() -> None:
    options = _read_options()
    parts = plan_parts(options.seeds, options.quick, options.traffic)
    tally = run_parts(parts, options.jobs)
    if options.json:
        print(json.dumps(to_json(tally)))
    else:
        print_table(tally)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench impact", description=__doc__)
    add_options(parser)
    parser.add_argument("--traffic", metavar="FILE", help="a simulator; default: bench/traffic.py")
    parser.add_argument("--seeds", type=_read_seeds, help="of the services, such as 1,2,3")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    return parser.parse_args()


def _read_seeds(text: str) -> tuple[int, ...]:
    return tuple(int(seed) for seed in text.split(","))


def plan_parts(seeds: Sequence[int] | None, quick: bool, traffic: str | None) -> list[Part]:
    """Everything to simulate, the longest parts first; the processor's share comes last, alone."""
    seeds = seeds or (QUICK_SEEDS if quick else SEEDS)
    deploys = -(-(QUICK_DEPLOYS if quick else DEPLOYS) // len(seeds))
    parts = [
        Part("crowd", seed, deploys, noise, 10.0, traffic) for noise in NOISES for seed in seeds
    ]
    parts += [
        Part("sparse", seed, deploys, "typical", rate, traffic, SPARSE_ENDPOINTS)
        for rate in SPARSE_TRIALS
        for seed in seeds
    ]
    mixed = seeds[:MIX_SEEDS]
    parts += [
        Part("mix", seed, -(-MIX_DEPLOYS // len(mixed)), traffic=traffic, endpoints=6)
        for seed in mixed
    ]
    return [*parts, Part("cpu", seeds[0], 1, traffic=traffic, endpoints=5, days=16)]


def run_parts(parts: Sequence[Part], jobs: int) -> Tally:
    """Each in a process of its own; the one that measures processor time by itself, at the end."""
    tally = Tally()
    with get_context("spawn").Pool(jobs, maxtasksperchild=1) as pool:
        counted = [part for part in parts if part.kind != "cpu"]
        for done, result in enumerate(pool.imap_unordered(run_part, counted), start=1):
            tally.add(result)
            print(f"{done} of {len(counted)} services simulated", file=sys.stderr)
        for part in parts:
            if part.kind == "cpu":
                tally.add(pool.apply(run_part, (part,)))
    return tally


def find_interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, in percent (Wilson's score interval)."""
    if not of:
        return 0.0, 100.0
    z = 1.96
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return 100 * max(0.0, middle - reach), 100 * min(1.0, middle + reach)


def find_replay_points(tally: Tally) -> float:
    """The largest difference between predicted and following alarms, in points."""
    return max(
        abs(
            tally.percent(f"replay_predicted_{noise}_{look}")
            - tally.percent(f"replay_followed_{noise}_{look}")
        )
        for noise in NOISES
        for look in REPLAYED_LOOKS
    )


def to_json(tally: Tally) -> dict[str, float]:
    """The figures in percent under their names, `<name>_n` trials behind each."""
    figures: dict[str, float] = {}
    for name in [*(goal.name for goal in GOALS), *OTHERS]:
        figures[name] = tally.percent(name)
        figures[f"{name}_n"] = tally.of[name]
    figures["replay_error_points"] = find_replay_points(tally)
    figures["replay_error_points_n"] = tally.of["replay_followed_typical_10"]
    figures["verdict_cpu_ms"] = median(tally.costs)
    figures["verdict_cpu_ms_n"] = len(tally.costs)
    return figures


def print_table(tally: Tally) -> None:
    """What, goal, measured, deploys, 95 % interval, and whether it is met."""
    _print_row("what", "goal", "measured", "deploys", "95 % interval", "")
    for goal in GOALS:
        hits, of = tally.hits[goal.name], tally.of[goal.name]
        low, high = find_interval(hits, of)
        met = hits == of if goal.least == 100 else goal.is_met(low, high)
        measured = f"{tally.percent(goal.name):.2f} %"
        _print_row(
            goal.what, goal.tell(), measured, f"{of}", f"{low:.2f} - {high:.2f}", _tell_met(met)
        )
    points, cost = find_replay_points(tally), median(tally.costs)
    for what, most, unit, value in (
        ("replay against the two weeks after", MOST_REPLAY_POINTS, "points", points),
        ("one verdict, 100 endpoints, CPU", MOST_CPU_MS, "ms", cost),
    ):
        _print_row(
            what, f"at most {most:g}", f"{value:.2f} {unit}", "", "", _tell_met(value <= most)
        )
    print()
    for noise in NOISES:
        for look in REPLAYED_LOOKS:
            predicted = tally.percent(f"replay_predicted_{noise}_{look}")
            followed = tally.percent(f"replay_followed_{noise}_{look}")
            print(f"{noise} alarms at {look} min: {predicted:.2f} % before, {followed:.2f} % after")
    for name in OTHERS:
        print(f"{name}: {tally.percent(name):.2f} % of {tally.of[name]}")


def _print_row(what: str, goal: str, measured: str, of: str, interval: str, met: str) -> None:
    print(f"{what:<42}{goal:>15}{measured:>14}{of:>9}{interval:>17}  {met}")


def _tell_met(met: bool) -> str:
    return "ok" if met else "missed"


if __name__ == "__main__":
    main()
