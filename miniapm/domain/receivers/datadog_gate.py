"""Datadog's deployment gate, answered from our verdict: as `miniapm check` decides.

Only a regression fails it. What it cannot know lets pass: a gate that cannot answer is no reason to
stop a pipeline.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.deploys.commits import is_same_commit
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ids import MAX_ID
from miniapm.domain.impact.outcomes import find_outcome, is_guessed
from miniapm.domain.impact.unjudged import is_awaited, tell_unjudged
from miniapm.domain.impact.values import Impact, Review
from miniapm.domain.receivers.payloads import Payload

GateStatus = Literal["pass", "fail", "in_progress"]
WAITS_FOR_DEPLOY = 15 * MINUTE
"""How long a deploy that nobody has announced yet is waited for."""


class GateQuestion(msgspec.Struct, frozen=True):
    """What is asked: of the latest deploy of a service and env, or that of a version."""

    project_id: int
    id: int
    service: str
    env: str
    version: str | None
    asked_at: int


class GateAnswer(NamedTuple):
    """`reason` is a sentence or a few."""

    status: GateStatus
    reason: str


def read_gate(
    value: Mapping[str, Any], defaults: Defaults, question_id: int, now: int
) -> GateQuestion:
    """The question in the body of `POST /api/v2/deployments/gates/evaluation`. Invalid names every
    bad field."""
    payload = Payload(value)
    longest = {"service": 100, "env": 100, "version": 200}
    named = {name: payload.name(f"data.attributes.{name}", longest[name]) for name in longest}
    payload.refuse_bad()
    return GateQuestion(
        defaults.project_id,
        question_id,
        named["service"] or defaults.service,
        named["env"] or defaults.env,
        named["version"],
        now,
    )


def is_meant(question: GateQuestion, deploy: Deploy) -> bool:
    """Whether `deploy`, of the service and env asked for, is of the version: it, or the commit."""
    wanted = question.version
    if wanted is None or wanted == deploy.version:
        return True
    return is_same_commit(wanted, deploy.git_sha)


def judge_gate(
    question: GateQuestion,
    deploy: Deploy | None,
    impact: Impact | None,
    review: Review | None,
    now: int,
    judged_since: int,
) -> GateAnswer:
    """What the gate says at `now`; deploys of before `judged_since` are not judged any more."""
    if deploy is None:
        what = f"deploy of {question.service} in {question.env}"
        is_waiting = now < question.asked_at + WAITS_FOR_DEPLOY
        return GateAnswer("in_progress" if is_waiting else "pass", f"There is no such {what}.")
    if impact is None:
        is_waiting = is_awaited(deploy, judged_since)
        return GateAnswer(
            "in_progress" if is_waiting else "pass", tell_unjudged(deploy, judged_since)
        )
    reason = " ".join((impact.sentence, *impact.reasons))
    if impact.verdict == "regressed" and review is not None:
        word = "Confirmed" if review.decision == "confirm" else "Dismissed"
        reason = f"{reason} {word} by {review.actor}."
    decision = review.decision if review else None
    outcome = find_outcome(impact.state, impact.verdict, decision, is_guessed=is_guessed(impact))
    if outcome == "pending":
        is_waiting = impact.next_look_at is not None and is_awaited(deploy, judged_since)
        return GateAnswer("in_progress" if is_waiting else "pass", reason)
    return GateAnswer("fail" if outcome == "regressed" else "pass", reason)


def write_gate_id(question_id: int) -> str:
    """The id as Datadog's clients know it: a UUID."""
    return str(UUID(int=question_id))


def read_gate_id(text: str) -> int | None:
    """The id that `write_gate_id` wrote; None where it cannot be one."""
    try:
        number = UUID(text).int
    except ValueError:
        return None
    return number if 0 < number <= MAX_ID else None
