"""The made-up week: the same every time, nothing after now, and a story that fits together."""

import re
from itertools import islice

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.demo.announcing import make_sha
from miniapm.domain.demo.effects import EFFECTS, find_conduct
from miniapm.domain.demo.faults import USUAL
from miniapm.domain.demo.season import list_traffic
from miniapm.domain.demo.shop import BY_NAME, ENDPOINTS
from miniapm.domain.demo.steps import Span, cut_steps
from miniapm.domain.demo.story import WEEK, list_deploys
from miniapm.domain.demo.values import PRODUCTION, STAGING, Lane
from miniapm.domain.demo.week import Step, tell_week
from miniapm.domain.errors.fingerprints import identify
from tests.factories import START


def tell_first(now: int, count: int = 4) -> list[Step]:
    return list(islice(tell_week(1, now), count))


def count_requests(steps: list[Step]) -> list[tuple[str, int, int, int]]:
    return [
        (minute.endpoint, minute.started_at, minute.rollup.count, minute.rollup.duration_us)
        for step in steps
        for minute in step.minutes
    ]


def test_it_is_the_same_every_time() -> None:
    one, other = tell_first(START), tell_first(START)
    assert [step.announcements for step in one] == [step.announcements for step in other]
    assert [step.bodies for step in one] == [step.bodies for step in other]
    assert [step.errors for step in one] == [step.errors for step in other]
    assert count_requests(one) == count_requests(other) != []


def test_when_it_is_told_changes_no_request() -> None:
    one = [(name, at - START, *rest) for name, at, *rest in count_requests(tell_first(START))]
    later = START + 37 * MINUTE
    other = [(name, at - later, *rest) for name, at, *rest in count_requests(tell_first(later))]
    both = min(len(one), len(other))
    assert both > 1000
    assert one[:both] == other[:both]


def test_steps_cover_the_week_and_end_now() -> None:
    steps = list(cut_steps(list_deploys(), 13 * MINUTE))
    assert steps[0].since == -WEEK
    assert steps[-1].until == 0
    assert [step.since for step in steps[1:]] == [step.until for step in steps[:-1]]


def test_deploys_come_in_order_and_the_last_can_be_judged() -> None:
    deploys = list_deploys()
    assert len(deploys) >= 36
    assert {deploy.lane.env for deploy in deploys} == {PRODUCTION, STAGING}
    assert [deploy.at for deploy in deploys] == sorted(deploy.at for deploy in deploys)
    assert -WEEK == deploys[0].at < deploys[-1].at < -(63 + 2) * MINUTE


def test_an_effect_is_of_what_there_is() -> None:
    versions = {deploy.version for deploy in list_deploys()}
    for effect in EFFECTS:
        assert effect.endpoint in BY_NAME
        assert {effect.first, effect.last or effect.first} <= versions
    assert set(USUAL) <= set(BY_NAME)


def test_an_effect_lasts_from_its_first_version_to_its_last() -> None:
    search, product = BY_NAME["GET /search"], BY_NAME["GET /products/{id}"]
    assert find_conduct(search, "v2.29.0").factor == 1.0
    assert find_conduct(search, "v2.30.0").factor > 1.3
    assert find_conduct(search, "v2.30.1").factor == 1.0
    assert find_conduct(product, "v2.27.0").factor == 1.0
    assert find_conduct(product, "v2.33.0").factor < 0.7


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_the_calls_of_a_request_lie_within_it(name: str) -> None:
    for version in {deploy.version for deploy in list_deploys()}:
        ends = [0.0]
        for call in find_conduct(BY_NAME[name], version).calls:
            assert ends[-1] <= call.begin < call.end <= 1
            ends.append(call.end)


def test_a_stack_trace_has_a_place_of_the_shop() -> None:
    faults = [fault for _, fault in USUAL.values()]
    faults += [effect.fault for effect in EFFECTS if effect.fault is not None]
    for fault in faults:
        identity = identify(
            fault.exception_class, fault.message, tuple(fault.stacktrace.split("\n"))
        )
        assert re.match(r"(shop|src)/", identity.culprit), fault
        if fault.lines and fault.stacktrace.startswith("Traceback"):
            assert fault.lines[len(fault.lines) // 2].strip() in fault.stacktrace


def test_the_traffic_has_days_nights_and_a_weekend() -> None:
    traffic = list_traffic(PRODUCTION)
    days = [traffic[day * DAY // MINUTE : (day + 1) * DAY // MINUTE] for day in range(7)]
    assert all(max(day) > 8 * min(day) for day in days)
    assert sorted(map(sum, days))[2] > 1.15 * sorted(map(sum, days))[0]
    assert 0.0 in list_traffic(STAGING)


def test_every_endpoint_belongs_to_a_lane() -> None:
    lanes = {deploy.lane for deploy in list_deploys()}
    assert {Lane(endpoint.service, PRODUCTION) for endpoint in ENDPOINTS} <= lanes


def test_a_commit_is_one_of_its_version_alone() -> None:
    shas = {make_sha(d.lane.service, d.version) for d in list_deploys()}
    assert len(shas) == len({(d.lane.service, d.version) for d in list_deploys()})
    assert all(re.fullmatch("[0-9a-f]{40}", sha) for sha in shas)


def test_nothing_comes_before_its_step() -> None:
    begin = START - START % MINUTE
    for span, step in zip(cut_steps(list_deploys(), begin % HOUR), tell_first(START), strict=False):
        assert isinstance(span, Span)
        assert all(begin + span.since <= minute.started_at < step.until for minute in step.minutes)
