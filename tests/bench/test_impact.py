"""The bench of the impact rule: the simulator, what it is stored as, and a very small run."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.impact import GOALS, find_interval, plan_parts, print_table, to_json
from bench.impact_scenarios import SPARSE_TRIALS, Part, Tally, run_part
from bench.simulated import Endpoint, encode_minutes, encode_rows, judge, load_traffic
from bench.traffic import COLUMNS, NOISY, TYPICAL, Effect, Service
from miniapm.clock import MINUTE
from miniapm.domain.histograms import bucket_of, encode_buckets, middle_of
from miniapm.domain.impact.swings import LEAST_MOMENTS

CROWD = Part("crowd", seed=3, deploys=3, endpoints=2, days=2)


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(3, [10.0, 1.0], days=2)


def _middle(buckets: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> float:
    """The median in µs."""
    column = int(np.searchsorted(np.cumsum(buckets), buckets.sum() / 2))
    return middle_of(column + 1)


def test_equal_questions_have_equal_answers(service: Service) -> None:
    again = Service(3, [10.0, 1.0], days=2)
    first, second = service.minutes(0, 100, 60), again.minutes(0, 100, 60)
    assert (first.buckets == second.buckets).all()
    assert (first.errors == second.errors).all()
    assert first.buckets.shape == (60, COLUMNS)
    unaffected = service.minutes(0, 100, 60, Effect())
    assert (first.buckets != unaffected.buckets).any()
    assert (service.minutes(0, 100, 60, Effect(rate=2)).buckets != unaffected.buckets).any()


def test_effects_are_what_they_say(service: Service) -> None:
    """Minutes from the tenth after the deploy on: it has warmed up."""
    drawn = {
        effect: service.minutes(0, 1000, 200, effect)
        for effect in (Effect(), Effect(latency=1.5), Effect(rate=2), Effect(error_rate=0.05))
    }
    warm = {effect: minutes.buckets[10:].sum(axis=0) for effect, minutes in drawn.items()}
    usual, slower = warm[Effect()], warm[Effect(latency=1.5)]
    assert _middle(slower) / _middle(usual) == pytest.approx(1.5, rel=0.03)
    assert warm[Effect(rate=2)].sum() / usual.sum() == pytest.approx(2, rel=0.03)
    failed = drawn[Effect(error_rate=0.05)].errors[10:].sum()
    assert failed / warm[Effect(error_rate=0.05)].sum() == pytest.approx(0.05, rel=0.1)
    assert drawn[Effect()].errors[10:].sum() / usual.sum() < 0.01


def test_every_deploy_begins_cold(service: Service) -> None:
    buckets = service.minutes(0, 1000, 200, Effect()).buckets
    assert 1.2 < _middle(buckets[0]) / _middle(buckets[10:].sum(axis=0)) < 1.9


def test_noisy_services_swing_more_than_typical_ones() -> None:
    spreads = []
    for noise in (TYPICAL, NOISY):
        buckets = Service(5, [50.0], days=3, noise=noise).minutes(0, 0, 4320).buckets
        middles = [np.log(_middle(ten.sum(axis=0))) for ten in np.split(buckets, 432)]
        spreads.append(np.abs(np.diff(middles)).mean())
    assert 0.005 < spreads[0] < 0.7 * spreads[1] < 0.1


def test_deploys_lie_in_the_second_half(service: Service) -> None:
    at = service.deploys()
    assert service.length / 2 < at[0] < at[-1] < service.length - 63
    assert (np.diff(at) >= 30).all()


@pytest.mark.parametrize("rate", [0.05, 1.0, 30.0, 3000.0])
def test_minutes_are_stored_as_the_server_stores_them(rate: float) -> None:
    minutes = Service(1, [rate], days=1).minutes(0, 500, 20)
    rows = encode_minutes(minutes, 500)
    for place, row in enumerate(rows):
        counts = minutes.buckets[place]
        buckets = {int(i) + 1: int(counts[i]) for i in np.flatnonzero(counts)}
        assert row == (
            (500 + place) * MINUTE, int(counts.sum()), int(minutes.errors[place]),
            encode_buckets(buckets),
        )  # fmt: skip


def test_a_column_becomes_the_bucket_of_its_durations() -> None:
    """Column 200 holds what took more than 2^12.5 and at most 2^12.5625 µs."""
    counts = np.zeros((1, COLUMNS), np.int32)
    counts[0, 200] = 7
    assert encode_rows(counts, 1) == [encode_buckets({bucket_of(5900): 7})]


def test_a_slow_down_is_seen_and_nothing_is_not(service: Service) -> None:
    endpoint = Endpoint(service, 0)
    at = int(service.deploys()[10])
    assert endpoint.learn(at).swings[60].up50.moments >= LEAST_MOMENTS
    assert judge(at, [endpoint.deploy(at, Effect(latency=2))]).saw("regressed", 60)
    assert judge(at, [endpoint.deploy(at, Effect(latency=0.5))]).saw("improved", 60)
    assert not judge(at, [endpoint.deploy(at, Effect())]).saw("regressed", 60)


@pytest.mark.slow
def test_every_figure_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    for noise in ("typical", "noisy"):
        tally.add(run_part(replace(CROWD, noise=noise)))
    for rate in SPARSE_TRIALS:
        tally.add(run_part(replace(CROWD, kind="sparse", rate=rate, endpoints=1)))
    tally.add(run_part(replace(CROWD, kind="mix")))
    tally.add(run_part(replace(CROWD, kind="cpu", endpoints=1)))
    figures = json.loads(json.dumps(to_json(tally)))
    for goal in GOALS:
        assert figures[f"{goal.name}_n"] > 0, goal.name
        assert 0 <= figures[goal.name] <= 100
    assert figures["seen_latency50_10rps_10min"] > 50
    assert figures["replay_error_points"] >= 0
    assert figures["verdict_cpu_ms"] > 0
    print_table(tally)
    table = capsys.readouterr().out
    assert [goal.what for goal in GOALS if goal.what not in table] == []


def test_all_is_measured_at_all_seeds_and_from_the_file_that_is_named() -> None:
    parts = plan_parts((7, 8), False, "other.py")
    assert {part.traffic for part in parts} == {"other.py"}
    for kind in ("crowd", "sparse", "mix"):
        assert {part.seed for part in parts if part.kind == kind} == {7, 8}
    crowd = [part.deploys for part in parts if (part.kind, part.noise) == ("crowd", "noisy")]
    assert sum(crowd) >= 2000


def test_another_simulator_can_be_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("traffic") / "mine.py"
    file.write_text("from bench.traffic import NOISY, TYPICAL, Effect, Service\nMINE = True\n")
    assert load_traffic(str(file)).MINE
    assert load_traffic(None).Service is Service


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 100, 0.0, 3.7), (50, 100, 40.4, 59.6), (0, 0, 0, 100)]
)
def test_intervals_are_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert find_interval(hits, of) == pytest.approx((low, high), abs=0.05)
