"""What a gate makes of a verdict, told in the answer of `/impact`: pipelines that have only curl go
by it. `miniapm check` comes to the same in client/impacts.py, which imports nothing of ours."""

from typing import Literal

from miniapm.domain.impact.values import Decision, Impact, State, Verdict

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
"""A verdict, or why there is none that counts. `regressed` alone stops a pipeline."""


def find_outcome(
    state: State, verdict: Verdict, decision: Decision | None, *, is_guessed: bool
) -> Outcome:
    """`decision` is what a person said of the verdict: it counts above all else. `is_guessed`: all
    that regressed did so by swings that are not known yet."""
    if verdict == "regressed" and decision is not None:
        return "dismissed" if decision == "dismiss" else "regressed"
    if state in ("pending", "withdrawn", "superseded"):
        return state
    return "learning" if verdict == "regressed" and is_guessed else verdict


def is_guessed(impact: Impact) -> bool:
    """Whether no endpoint that decides regressed by swings that are known."""
    return impact.is_learning and not any(
        one.verdict == "regressed" and one.counts and not one.is_learning
        for one in impact.endpoints
    )
