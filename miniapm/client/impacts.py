"""What a server says of a deploy's impact, and whether that stops a pipeline.

Only what the gate decides by is read; the rest of the answer is kept as it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal[
    "regressed",
    "improved",
    "unchanged",
    "not_enough_data",
    "withdrawn",
    "superseded",
    "learning",
    "dismissed",
    "pending",
]
"""What the gate has come to: a verdict, or why there is none that counts."""

_VERDICTS: Mapping[str, Outcome] = {
    "regressed": "regressed",
    "improved": "improved",
    "unchanged": "unchanged",
    "not_enough_data": "not_enough_data",
}
_STATES = ("pending", "provisional", "final", "withdrawn", "superseded")
_STRICT: tuple[Outcome, ...] = ("regressed", "not_enough_data", "pending", "superseded")


class NoVerdict(Exception):
    """The answer is not what `/impact` answers."""


@dataclass(frozen=True, slots=True)
class Impact:
    """One answer of `/impact`. `known` is all of it; `decision` is what a person said, "" for
    nothing. `is_guessed`: all that regressed did so by swings that are not known yet.
    """

    state: str
    verdict: Outcome
    sentence: str
    reasons: tuple[str, ...]
    decision: str
    is_guessed: bool
    known: Mapping[str, Any]


def parse_impact(value: object) -> Impact:
    """An answer of `/impact`; NoVerdict for anything else."""
    if not isinstance(value, dict):
        raise NoVerdict
    verdict = _VERDICTS.get(str(value.get("verdict")))
    state, reasons = value.get("state"), value.get("reasons")
    if verdict is None or state not in _STATES or not isinstance(reasons, list):
        raise NoVerdict
    review = value.get("review")
    return Impact(
        state=state,
        verdict=verdict,
        sentence=str(value.get("sentence")),
        reasons=tuple(str(reason) for reason in reasons),
        decision=str(review.get("decision")) if isinstance(review, dict) else "",
        is_guessed=bool(value.get("learning")) and not _has_known_regression(value),
        known=value,
    )


def _has_known_regression(value: Mapping[str, Any]) -> bool:
    """Whether an endpoint that decides regressed by swings that are known."""
    endpoints = value.get("endpoints")
    return isinstance(endpoints, list) and any(
        isinstance(one, dict)
        and one.get("verdict") == "regressed"
        and one.get("counts") is True
        and one.get("learning") is False
        for one in endpoints
    )


def decide(impact: Impact, *, until_final: bool) -> Outcome | None:
    """What the gate has come to; None while it has to wait.

    A person's word ends the waiting. A provisional verdict counts unless `until_final`.
    """
    if impact.verdict == "regressed" and impact.decision in ("dismiss", "confirm"):
        return "dismissed" if impact.decision == "dismiss" else "regressed"
    if impact.state == "withdrawn":
        return "withdrawn"
    if impact.state == "superseded":
        return "superseded"
    if impact.state == "pending" or (until_final and impact.state == "provisional"):
        return None
    if impact.verdict == "regressed" and impact.is_guessed:
        return "learning"
    return impact.verdict


def exit_code(outcome: Outcome, *, strict: bool) -> int:
    """1 where the pipeline has to stop."""
    stops = _STRICT if strict else ("regressed",)
    return 1 if outcome in stops else 0
