"""The verdict in words that a person can check: one sentence, then the reasons."""

from collections.abc import Sequence

from miniapm.domain.counts import tell_count
from miniapm.domain.impact.evidence import find_move, tell_change, tell_error
from miniapm.domain.impact.shifts import LEAST_REQUESTS
from miniapm.domain.impact.swings import HISTORY_DAYS, LEAST_MOMENTS
from miniapm.domain.impact.values import (
    Change,
    Confounder,
    EndpointImpact,
    Look,
    State,
    StoredVerdict,
    Verdict,
)
from miniapm.domain.impact.verdicts import Standing
from miniapm.domain.impact.windows import DECIDING_LOOK
from miniapm.domain.percents import tell_change as tell_moved
from miniapm.domain.percents import tell_share, tell_whole

MOST_REASONS = 12
VERDICT_WORDS: dict[Verdict, str] = {
    "regressed": "regressed",
    "improved": "improved",
    "unchanged": "unchanged",
    "not_enough_data": "not enough data",
}


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
        return f"{name} made {_tell_moves(_decisive(look, 'improved'))}; nothing got worse."
    if standing.verdict == "unchanged":
        judged = tell_count(_judged(look), "endpoint")
        return (
            f"{name} changed nothing that could be seen on {judged}; "
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
    return f"Not enough data to judge {name}: {tell_count(requests, 'request')} after it."


def tell_reasons(standing: Standing, confounders: Sequence[Confounder]) -> list[str]:
    """What the verdict rests on, the weightiest first, and what to keep in mind."""
    look = standing.look
    if look is None:
        return []
    reasons = [tell_error(error, look) for error in look.errors if error.counts]
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
        reasons.append(
            f"Provisional: the next look comes {standing.next_look} minutes after the warm-up."
        )
    if look.is_learning:
        reasons.append(
            f"Learning: for an endpoint with fewer than {LEAST_MOMENTS} moments in {HISTORY_DAYS} "
            f"days that had {LEAST_REQUESTS} requests both before and after, the usual swing is "
            "guessed, so only large changes are called."
        )
    reasons += [_tell_confounder(one) for one in confounders]
    return reasons


def tell_visible(smallest: float | None) -> str:
    """The smallest change that could have been seen."""
    return "nothing" if smallest is None else f"{tell_moved(smallest)} or more"


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


def tell_verdict(found: StoredVerdict | None) -> str | None:
    """The word for how a deploy was judged, on pages and in lists; None while there is nothing to
    tell: not looked at, or not long enough. That it was superseded or withdrawn is told in place
    of what was seen before."""
    if found is None or found.state == "pending":
        return None
    if found.is_dismissed:
        return "dismissed"
    if found.state in ("superseded", "withdrawn"):
        return found.state
    word = VERDICT_WORDS[found.verdict]
    # what is not known yet is provisional anyway
    is_open = found.state == "provisional" and found.verdict != "not_enough_data"
    return f"{word} so far" if is_open else word


def _decisive(look: Look, verdict: Verdict) -> list[EndpointImpact]:
    return [one for one in look.endpoints if one.counts and one.verdict == verdict]


def _judged(look: Look) -> int:
    return sum(1 for one in look.endpoints if one.smallest_visible_change is not None)


def _tell_worst(look: Look) -> str:
    worst = _decisive(look, "regressed")
    errors = [error for error in look.errors if error.counts]
    parts = []
    if worst:
        parts.append(f"made {_tell_moves(worst)}")
    if errors:
        new = [error for error in errors if error.is_new]
        word = "brought the new error" if new else "brought back the error"
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        parts.append(f"{word} {(new or errors)[0].exception_class}{more}")
    return " and ".join(parts)


def _tell_moves(endpoints: Sequence[EndpointImpact]) -> str:
    """What happened to endpoints that all became worse, or all better: the first that became
    slower (or faster) and the first that fails, by name, then how many more did."""
    slow = [one for one in endpoints if _find_latency(one) is not None]
    failing = [one for one in endpoints if _find_failures(one) is not None]
    heads = {one.endpoint_id: one for one in (*slow[:1], *failing[:1])}
    told = [_tell_move(one, one in failing[:1]) for one in endpoints if one.endpoint_id in heads]
    if slow[1:]:
        told.append(f"{tell_count(len(slow) - 1, 'more endpoint')} {_tell_pace(slow[1])}")
    if failing[1:]:
        told.append(f"{tell_count(len(failing) - 1, 'more endpoint')} fail more often")
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _tell_move(endpoint: EndpointImpact, with_failures: bool) -> str:
    """What happened to one endpoint; of one that is slower and fails, that it fails only where
    `with_failures` asks for it."""
    latency, failures = _find_latency(endpoint), _find_failures(endpoint)
    parts = []
    if latency is not None:
        tail = " at its 95th percentile" if latency.metric == "p95" else ""
        parts.append(f"{tell_whole(find_move(latency))} {_tell_pace(endpoint)}{tail}")
    if failures is not None and with_failures:
        parts.append(
            f"fail {tell_share(failures.after)} of its requests "
            f"(before {tell_share(failures.before)})"
        )
    return f"{endpoint.name} {' and '.join(parts)}"


def _tell_pace(endpoint: EndpointImpact) -> str:
    return "slower" if endpoint.verdict == "regressed" else "faster"


def _find_latency(endpoint: EndpointImpact) -> Change | None:
    """The weightier change of its durations."""
    found = [one for one in _find_changes(endpoint) if one.metric != "error_rate"]
    return max(found, key=lambda one: one.score, default=None)


def _find_failures(endpoint: EndpointImpact) -> Change | None:
    return next((one for one in _find_changes(endpoint) if one.metric == "error_rate"), None)


def _find_changes(endpoint: EndpointImpact) -> list[Change]:
    return [change for change in endpoint.changes if change.verdict == endpoint.verdict]


def _tell_others(look: Look) -> str:
    return f"; {_tell_rest(look)}" if _judged(look) > len(_decisive(look, "regressed")) else ""


def _tell_rest(look: Look) -> str:
    unchanged = sum(1 for one in look.endpoints if one.verdict == "unchanged")
    unknown = sum(1 for one in look.endpoints if one.verdict == "not_enough_data")
    parts = [f"{tell_count(unchanged, 'endpoint')} unchanged"] if unchanged or not unknown else []
    if unknown:
        parts.append(f"{unknown} could not be judged")
    return ", ".join(parts)


def _tell_confounder(one: Confounder) -> str:
    return f"{one.service} {one.name} was deployed to the same environment within the hour around."
