"""Judging one deploy: everything that the verdict rests on, read in one snapshot."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.values import Deploy, Lane
from miniapm.domain.impact.looks import EndpointPast, look_at
from miniapm.domain.impact.moments import DayRates
from miniapm.domain.impact.segments import MinuteRow, MinuteSums
from miniapm.domain.impact.values import Impact, Look, Window
from miniapm.domain.impact.verdicts import Standing, fold_looks
from miniapm.domain.impact.windows import DECIDING_LOOK, Plan
from miniapm.domain.impact.words import tell_reasons, tell_sentence
from miniapm.storage.connection import Connection
from miniapm.storage.impact.drawing import draw
from miniapm.storage.impact.errors import find_error_impacts
from miniapm.storage.impact.lanes import (
    count_served,
    find_day_rates,
    find_endpoint_names,
    find_minute_rows,
    find_own_releases,
    find_release_ids,
)
from miniapm.storage.impact.plans import find_confounders, find_plan
from miniapm.storage.impact.replays import SETTLE_US
from miniapm.storage.impact.swings import LaneSwings
from miniapm.storage.impact.verdicts import Judged

Rows = dict[int, list[MinuteRow]]


class Rule(NamedTuple):
    """What the settings say: `least_us` is the smallest move of a duration that counts."""

    least_us: float


def judge_deploy(
    connection: Connection,
    deploy: Deploy,
    swings: LaneSwings,
    rule: Rule,
    now: int,
    before: Impact | None = None,
) -> Judged:
    """The verdict on a live deploy as of `now` (µs).

    `before` is its verdict until now: looks that it took are not taken again while its windows are
    the same. Without it every look whose window has closed is.
    """
    lane = deploy.lane
    plan = find_plan(connection, deploy)
    closed = [look for look in plan.looks if plan.after(look).until + SETTLE_US <= now]
    taken = _recall(plan, before)
    due = [look for look in closed if look not in taken]
    until = plan.after(closed[-1]).until if closed else plan.before.until
    if due or not closed:
        taken.update(_take(connection, deploy, plan, due, swings, rule))
    elif before is not None and before.look is not None:
        taken[before.look.minutes] = before.look
    standing = fold_looks(plan, taken)
    impact = _tell(connection, deploy, plan, standing, taken, swings, now)
    minutes, strip = draw(connection, lane, plan, impact.endpoints, now) if closed else (None, None)
    served = count_served(connection, lane, Window(plan.before.since, until))
    return Judged(impact, until, served, deploy.updated_at, minutes, strip)


def _recall(plan: Plan, before: Impact | None) -> dict[int, Look]:
    """The looks taken before, by what they came to: a look is only seen whole while it speaks."""
    if before is None or before.look is None:
        return {}
    same = Plan(before.at, before.before, before.after_since, before.next_at)
    if same != plan:
        return {}
    return {
        minutes: Look(
            minutes=minutes, verdict=verdict, is_learning=False, after=plan.after(minutes)
        )
        for minutes, verdict in before.looks
    }


def _take(
    connection: Connection,
    deploy: Deploy,
    plan: Plan,
    looks: Sequence[int],
    swings: LaneSwings,
    rule: Rule,
) -> dict[int, Look]:
    if not looks:
        return {}
    lane = deploy.lane
    endpoints = _find_past(connection, lane, deploy.id, plan, looks[-1], swings)
    return {
        look: look_at(
            plan,
            look,
            endpoints,
            find_error_impacts(
                connection, lane, plan.before.until, plan.after(look), look >= DECIDING_LOOK
            ),
            rule.least_us,
        )
        for look in looks
    }


def _find_past(
    connection: Connection,
    lane: Lane,
    deploy_id: int,
    plan: Plan,
    last_look: int,
    swings: LaneSwings,
) -> list[EndpointPast]:
    after = plan.after(last_look)
    window = Window(plan.before.since, after.until)
    names = find_endpoint_names(connection, lane)
    rows = find_minute_rows(connection, lane, window, names)
    days = find_day_rates(connection, lane, plan.before.until, rows)
    own, others = _find_versions(connection, lane, deploy_id, after, names)
    return [
        EndpointPast(
            endpoint_id,
            names[endpoint_id],
            MinuteSums(window, minutes),
            days.get(endpoint_id, DayRates(0, 0)),
            swings.swings.get(endpoint_id, {}),
            MinuteSums(after, own[endpoint_id]) if endpoint_id in others else None,
            MinuteSums(after, others[endpoint_id]) if endpoint_id in others else None,
        )
        for endpoint_id, minutes in rows.items()
    ]


def _find_versions(
    connection: Connection, lane: Lane, deploy_id: int, after: Window, names: Iterable[int]
) -> tuple[Rows, Rows]:
    """The minutes of the deploy's own version and of all others, of the endpoints that both served
    after it."""
    own_ids = find_own_releases(connection, lane, deploy_id)
    other_ids = set(find_release_ids(connection, lane)) - set(own_ids)
    if not own_ids or not other_ids:
        return {}, {}
    others = find_minute_rows(connection, lane, after, names, other_ids)
    own = find_minute_rows(connection, lane, after, others, own_ids) if others else {}
    return own, {one: rows for one, rows in others.items() if one in own}


def _tell(
    connection: Connection,
    deploy: Deploy,
    plan: Plan,
    standing: Standing,
    taken: dict[int, Look],
    swings: LaneSwings,
    now: int,
) -> Impact:
    look = standing.look
    confounders = find_confounders(connection, deploy)
    alarms = swings.alarms.get(look.minutes if look else DECIDING_LOOK)
    next_look = standing.next_look
    return Impact(
        deploy_id=deploy.id,
        service=deploy.service,
        env=deploy.env,
        state=standing.state,
        verdict=standing.verdict,
        is_learning=look is not None and look.is_learning,
        at=plan.at,
        before=plan.before,
        after_since=plan.after_since,
        next_at=plan.next_at,
        computed_at=now,
        next_look_at=None if next_look is None else plan.after(next_look).until + SETTLE_US,
        sentence=tell_sentence(deploy.name, standing, _tell_lack(deploy, plan, look)),
        reasons=tuple(tell_reasons(standing, confounders)),
        look=look,
        looks=tuple((minutes, taken[minutes].verdict) for minutes in sorted(taken)),
        confounders=tuple(confounders),
        moments=alarms.moments if alarms else 0,
        fired=alarms.fired if alarms else 0,
    )


def _tell_lack(deploy: Deploy, plan: Plan, look: Look | None) -> str:
    """Why there is nothing to compare, "" where there is."""
    if plan.came_late_at is not None:
        return f"its version was first seen in telemetry {_tell_late(plan)} after it"
    if look is not None and not look.endpoints:
        return f"there is no telemetry of {deploy.service} in {deploy.env} around it"
    if not plan.pieces:
        return "the previous deploy was less than 12 minutes before it"
    return ""


def _tell_late(plan: Plan) -> str:
    assert plan.came_late_at is not None
    late = plan.came_late_at - plan.at
    return f"{late // HOUR} h" if late < 2 * DAY else f"{late // DAY} days"
