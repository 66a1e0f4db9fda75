"""The verdict in words that a person can check: one sentence, then the reasons."""

from collections.abc import Sequence

from miniapm.domain.impact.swings import HISTORY_DAYS
from miniapm.domain.impact.values import (
    Change,
    Confounder,
    EndpointImpact,
    ErrorImpact,
    Look,
    State,
    Verdict,
)
from miniapm.domain.impact.verdicts import Standing
from miniapm.domain.impact.windows import BLOCKS, DECIDING_LOOK
from miniapm.domain.percents import tell_change as tell_moved
from miniapm.domain.percents import tell_share, tell_whole

MOST_REASONS = 12
_BESIDE = "on the other version at the same time"
VERDICT_WORDS: dict[Verdict, str] = {
    "regressed": "regressed",
    "improved": "improved",
    "unchanged": "unchanged",
    "not_enough_data": "not enough data",
}
_NUMBER_WORDS = {1: "one", 2: "two", 6: "six", 12: "twelve"}


def tell_sentence(name: str, standing: Standing, since: str) -> str:
    """The verdict in one sentence about the deploy that people call `name`. `since` says why there
    is nothing to compare with, "" where there is something."""
    look = standing.look
    if look is None:
        if standing.state == "superseded":
            return f"{name} was replaced before there was enough to see."
        if standing.state == "final":
            return f"Not enough data to judge {name}: {since}."
        minutes = standing.next_look or DECIDING_LOOK
        return (
            f"{name} is not judged yet: the first look comes {minutes} minutes after its warm-up."
        )
    if standing.state == "withdrawn":
        return f"{name}: what looked like a regression has passed; {_tell_rest(look)}."
    if standing.verdict == "regressed":
        return f"{name} {_tell_worst(look)}{_tell_others(look)}."
    if standing.verdict == "improved":
        best = _decisive(look, "improved")
        more = f" and {len(best) - 1} more" if len(best) > 1 else ""
        return f"{name} {_tell_move(best[0])}{more}; nothing got worse."
    if standing.verdict == "unchanged":
        return (
            f"{name} changed nothing that could be seen on {_count(_judged(look), 'endpoint')}; "
            f"{tell_visible(look.smallest_visible_change)} would have been."
        )
    if since:
        return f"Not enough data to judge {name}: {since}."
    if look.smallest_visible_change is not None:
        return (
            f"Not enough data to judge {name}: "
            f"only {tell_visible(look.smallest_visible_change)} could have been seen."
        )
    requests = sum(endpoint.requests_after for endpoint in look.endpoints)
    return f"Not enough data to judge {name}: {_count(requests, 'request')} after it."


def tell_reasons(standing: Standing, confounders: Sequence[Confounder]) -> list[str]:
    """What the verdict rests on, the weightiest first, and what to keep in mind."""
    look = standing.look
    if look is None:
        return []
    reasons = [_tell_error(error, look) for error in look.errors if error.counts]
    for verdict in ("regressed", "improved"):
        for endpoint in look.endpoints:
            if endpoint.counts and endpoint.verdict == verdict:
                reasons += [
                    tell_change(endpoint, change, look.minutes)
                    for change in endpoint.changes
                    if change.verdict == verdict
                ]
    if len(reasons) > MOST_REASONS:
        reasons = [*reasons[:MOST_REASONS], f"And {len(reasons) - MOST_REASONS} more."]
    if standing.state != "final" and standing.next_look:
        reasons.append(f"Provisional: the next look comes {standing.next_look} minutes after the "
                       "warm-up.")  # fmt: skip
    if look.is_learning:
        reasons.append(
            f"Learning: with less than a day of the past ({HISTORY_DAYS} at best) the usual swings "
            "are guessed, so only large changes are called."
        )
    reasons += [_tell_confounder(one) for one in confounders]
    return reasons


def tell_change(endpoint: EndpointImpact, change: Change, look: int) -> str:
    """How one metric of an endpoint moved, with what it was judged by."""
    block = look // BLOCKS
    blocks = f"{change.shifted} of {BLOCKS} {_NUMBER_WORDS.get(block, block)}-minute blocks"
    if change.metric == "error_rate":
        against = _BESIDE if endpoint.same_time else "before"
        return (
            f"{endpoint.name}: {tell_share(change.before)} to {tell_share(change.after)} of "
            f"requests failed ({change.failed_before:,} {against}, "
            f"{change.failed_after:,} after, in {blocks}){_tell_fired(change)}."
        )
    if endpoint.same_time:
        return (
            f"{endpoint.name}: {change.metric} {tell_us(change.before)} {_BESIDE}, "
            f"{tell_us(change.after)} on this one ({tell_moved(_moved(change))}) in "
            f"{blocks}; by chance they differ by {tell_share(change.usual)} at most."
        )
    usual = f"usual swing on this endpoint {tell_share(change.usual)}" if change.moments else (
        f"its usual swing is not known yet, taken as {tell_share(change.usual)}"
    )  # fmt: skip
    return (
        f"{endpoint.name}: {change.metric} {tell_us(change.before)} to {tell_us(change.after)} "
        f"({tell_moved(_moved(change))}) in {blocks}; {usual}, this is "
        f"{change.score:.1f} times that{_tell_fired(change)}."
    )


def _tell_fired(change: Change) -> str:
    if not change.moments:
        return ""
    return (
        f"; this rule would have fired at {change.fired:,} of {change.moments:,} moments without "
        "a deploy"
    )


def tell_visible(smallest: float | None) -> str:
    """The smallest change that could have been seen."""
    return "nothing" if smallest is None else f"{tell_moved(smallest)} or more"


def tell_us(us: float) -> str:
    """A duration as people read it."""
    if us < 999.5:
        return f"{us:.0f} µs"
    ms = us / 1000
    if ms < 99.95:
        return f"{ms:.1f} ms"
    return f"{ms:,.0f} ms" if ms < 9_999.5 else f"{ms / 1000:,.1f} s"


def tell_state(state: State, look: int | None) -> str:
    """The state in words."""
    if state == "provisional" and look is not None and look > DECIDING_LOOK:
        return "confirmed"
    return {
        "pending": "pending",
        "provisional": "provisional",
        "final": "final",
        "withdrawn": "withdrawn",
        "superseded": "superseded",
    }[state]


def _decisive(look: Look, verdict: Verdict) -> list[EndpointImpact]:
    return [one for one in look.endpoints if one.counts and one.verdict == verdict]


def _judged(look: Look) -> int:
    return sum(1 for one in look.endpoints if one.smallest_visible_change is not None)


def _tell_worst(look: Look) -> str:
    worst = _decisive(look, "regressed")
    errors = [error for error in look.errors if error.counts]
    parts = []
    if worst:
        more = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
        parts.append(f"{_tell_move(worst[0])}{more}")
    if errors:
        new = [error for error in errors if error.is_new]
        word = "brought the new error" if new else "brought back the error"
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        parts.append(f"{word} {(new or errors)[0].exception_class}{more}")
    return " and ".join(parts)


def _tell_move(endpoint: EndpointImpact) -> str:
    """What happened to an endpoint, by its weightiest change."""
    changes = [change for change in endpoint.changes if change.verdict == endpoint.verdict]
    change = max(changes, key=lambda one: one.score)
    if change.metric == "error_rate":
        return (
            f"made {endpoint.name} fail {tell_share(change.after)} of its requests "
            f"(before {tell_share(change.before)})"
        )
    moved = _moved(change)
    word = "slower" if moved > 0 else "faster"
    tail = " at its 95th percentile" if change.metric == "p95" else ""
    return f"made {endpoint.name} {tell_whole(moved)} {word}{tail}"


def _moved(change: Change) -> float:
    """How much higher it is: 0.42 for +42 %."""
    return change.after / change.before - 1


def _tell_others(look: Look) -> str:
    return f"; {_tell_rest(look)}" if _judged(look) > len(_decisive(look, "regressed")) else ""


def _tell_rest(look: Look) -> str:
    unchanged = sum(1 for one in look.endpoints if one.verdict == "unchanged")
    unknown = sum(1 for one in look.endpoints if one.verdict == "not_enough_data")
    parts = [f"{_count(unchanged, 'endpoint')} unchanged"] if unchanged or not unknown else []
    if unknown:
        parts.append(f"{unknown} could not be judged")
    return ", ".join(parts)


def _tell_error(error: ErrorImpact, look: Look) -> str:
    times = "once" if error.count == 1 else f"{error.count:,} times"
    word = "New error" if error.is_new else "Resolved error that came back:"
    where = f" in {error.culprit}" if error.culprit else ""
    past = "; not seen in the 30 days before" if error.is_new else ""
    blocks = f"{error.blocks} of {BLOCKS} blocks of {look.minutes // BLOCKS} min"
    return f"{word} {error.exception_class}{where}: {times} in {blocks}{past}."


def _tell_confounder(one: Confounder) -> str:
    return f"{one.service} {one.name} was deployed to the same environment within the hour around."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
