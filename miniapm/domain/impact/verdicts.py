"""How it stands with a deploy after its looks: provisional, confirmed, withdrawn, final."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.domain.impact.values import Look, State, Verdict
from miniapm.domain.impact.windows import DECIDING_LOOK, Plan


class Standing(NamedTuple):
    """`look` is the one that speaks, None while none does. `next_look` is the next one to come."""

    state: State
    verdict: Verdict
    look: Look | None
    next_look: int | None


def fold_looks(plan: Plan, looks: Mapping[int, Look]) -> Standing:
    """What the looks taken so far come to; those that the next deploy cuts off never come.

    A later look replaces an earlier one, for it sees more. A regression that it does not see any
    more has passed: it is withdrawn, though the last look may see it again.
    """
    if plan.came_late_at is not None:
        return Standing("final", "not_enough_data", None, None)
    possible = plan.looks
    taken = [look for look in possible if look in looks]
    following = [look for look in possible if look not in looks]
    next_look = following[0] if following else None
    latest = looks[taken[-1]] if taken else None
    if latest is None:
        return _wait(plan, next_look)
    if latest.minutes < DECIDING_LOOK:
        if latest.verdict == "regressed":
            ended = next_look is None
            return Standing("final" if ended else "provisional", "regressed", latest, next_look)
        return _wait(plan, next_look)
    was_seen = any(looks[look].verdict == "regressed" for look in taken)
    if was_seen and latest.verdict != "regressed":
        return Standing("withdrawn", latest.verdict, latest, next_look)
    return Standing("provisional" if next_look else "final", latest.verdict, latest, next_look)


def _wait(plan: Plan, next_look: int | None) -> Standing:
    superseded = next_look is None and not plan.can_look(DECIDING_LOOK)
    state: State = "superseded" if superseded else "pending"
    return Standing(state, "not_enough_data", None, next_look)
