"""The JSON of verdicts: what the API takes and answers, and what its document is made from."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from miniapm.clock import MINUTE, to_rfc3339
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.outcomes import Outcome, find_outcome, is_guessed
from miniapm.domain.impact.reviewing import LONGEST_NOTE
from miniapm.domain.impact.unjudged import tell_unjudged
from miniapm.domain.impact.values import (
    Decision,
    ErrorImpact,
    Impact,
    Review,
    State,
    Verdict,
    Window,
)
from miniapm.storage.impact.shown import Judgement
from miniapm.storage.impact.verdicts import Transition
from miniapm.web.api.deploy_bodies import DateTime, Id
from miniapm.web.api.impact_endpoint_bodies import EndpointImpactBody, Share, to_endpoint_body

LONGEST_WAIT_SECONDS = 60
MOST_ENDPOINTS = 200
"""1.7 KB each; who wants to know of all has to say so."""
LookMinutes = Annotated[
    int | None, Meta(description="Minutes after the warm-up: 5, 10 (provisional), 30, 60 (final)")
]


class ImpactQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict of a deploy takes."""

    wait: Annotated[
        int,
        Meta(
            ge=0,
            le=LONGEST_WAIT_SECONDS,
            description="Seconds to wait for another state or verdict before answering",
            extra={"rule": f"must be a whole number from 0 to {LONGEST_WAIT_SECONDS}"},
        ),
    ] = 0
    endpoints: (
        Annotated[
            Literal["all"],
            Meta(
                description=f"`all` for every endpoint, not only the first {MOST_ENDPOINTS}",
                extra={"rule": "must be all, or be left out"},
            ),
        ]
        | None
    ) = None


class WindowBody(msgspec.Struct, frozen=True):
    """`since` ≤ t < `until`, whole minutes."""

    since: DateTime
    until: DateTime


class ErrorImpactBody(msgspec.Struct, frozen=True, kw_only=True):
    """An error that is new since the deploy, or came back with it."""

    error_id: Id
    exception_class: str
    message: str
    culprit: str
    new: bool
    count: int
    blocks: Annotated[int, Meta(description="In how many of the five blocks it occurred")]
    counts: Annotated[bool, Meta(description="Whether it alone makes the deploy regressed")]


class ConfounderBody(msgspec.Struct, frozen=True):
    """Another deploy near enough to be the cause as well."""

    deploy_id: Id
    service: str
    name: str
    timestamp: DateTime


class ReviewBody(msgspec.Struct, frozen=True):
    """What a person said of the verdict; the last word of it."""

    decision: Decision
    note: str
    actor: str
    reviewed_at: DateTime


class TransitionBody(msgspec.Struct, frozen=True):
    """A state and verdict that the deploy came to."""

    state: State
    verdict: Verdict
    sentence: str
    look: LookMinutes
    changed_at: DateTime


class ImpactBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy did. While `state` is `pending` nothing is known yet."""

    deploy_id: Id
    state: State
    verdict: Verdict
    learning: Annotated[bool, Meta(description="Too little past to know what is usual")]
    outcome: Annotated[
        Outcome,
        Meta(description="What `miniapm check` makes of it: `regressed` alone stops a pipeline"),
    ]
    sentence: str
    reasons: list[str]
    endpoints: Annotated[list[EndpointImpactBody], Meta(description="What matters most first")]
    endpoints_left_out: Annotated[int, Meta(description="How many more `?endpoints=all` lists")]
    smallest_visible_change: Share
    computed_at: DateTime | None
    look: LookMinutes
    at: Annotated[DateTime, Meta(description="When the deploy counts from")]
    before: WindowBody | None
    after: WindowBody | None
    errors: list[ErrorImpactBody]
    confounders: list[ConfounderBody]
    moments: Annotated[int, Meta(description="At which the whole rule was replayed")]
    fired: Annotated[int, Meta(description="Of these, at how many it would have called it so")]
    next_look_at: DateTime | None
    review: ReviewBody | None
    transitions: list[TransitionBody]


class ReviewPayload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says of a verdict; `decision` null takes it back."""

    decision: Decision | None
    note: Annotated[str, Meta(max_length=LONGEST_NOTE)] | None = None


def to_impact_body(
    deploy: Deploy, found: Judgement, judged_since: int, *, with_all: bool = False
) -> ImpactBody:
    """A deploy that was not looked at yet is pending. Deploys of before `judged_since` (µs)
    are not judged any more. `with_all`: every endpoint, however many."""
    impact = found.impact
    review = None if found.review is None else _to_review(found.review)
    transitions = [_to_transition(one) for one in found.transitions]
    if impact is None:
        return ImpactBody(
            deploy_id=str(deploy.id), state="pending", verdict="not_enough_data", learning=False,
            outcome="pending", sentence=tell_unjudged(deploy, judged_since), reasons=[],
            endpoints=[], endpoints_left_out=0, smallest_visible_change=None, computed_at=None,
            look=None, at=to_rfc3339(deploy.deployed_at), before=None, after=None, errors=[],
            confounders=[], moments=0, fired=0, next_look_at=None, review=review,
            transitions=transitions,
        )  # fmt: skip
    shown = impact.endpoints if with_all else impact.endpoints[:MOST_ENDPOINTS]
    return ImpactBody(
        deploy_id=str(deploy.id),
        state=impact.state,
        verdict=impact.verdict,
        learning=impact.is_learning,
        outcome=find_outcome(
            impact.state,
            impact.verdict,
            found.review.decision if found.review else None,
            is_guessed=is_guessed(impact),
        ),
        sentence=impact.sentence,
        reasons=list(impact.reasons),
        endpoints=[to_endpoint_body(endpoint) for endpoint in shown],
        endpoints_left_out=len(impact.endpoints) - len(shown),
        smallest_visible_change=impact.smallest_visible_change,
        computed_at=to_rfc3339(impact.computed_at),
        look=impact.look.minutes if impact.look else None,
        at=to_rfc3339(impact.at),
        before=_to_window(impact.before),
        after=_to_window(impact.look.after) if impact.look else None,
        errors=[_to_error(error) for error in impact.errors],
        confounders=_list_confounders(impact),
        moments=impact.moments,
        fired=impact.fired,
        next_look_at=None if impact.next_look_at is None else to_rfc3339(impact.next_look_at),
        review=review,
        transitions=transitions,
    )


def _to_window(window: Window) -> WindowBody | None:
    if window.until - window.since < MINUTE:
        return None
    return WindowBody(to_rfc3339(window.since), to_rfc3339(window.until))


def _to_error(error: ErrorImpact) -> ErrorImpactBody:
    return ErrorImpactBody(
        error_id=str(error.group_id),
        exception_class=error.exception_class,
        message=error.message,
        culprit=error.culprit,
        new=error.is_new,
        count=error.count,
        blocks=error.blocks,
        counts=error.counts,
    )


def _list_confounders(impact: Impact) -> list[ConfounderBody]:
    return [
        ConfounderBody(str(one.deploy_id), one.service, one.name, to_rfc3339(one.deployed_at))
        for one in impact.confounders
    ]


def _to_review(review: Review) -> ReviewBody:
    at = to_rfc3339(review.reviewed_at)
    return ReviewBody(review.decision, review.note, review.actor, at)


def _to_transition(one: Transition) -> TransitionBody:
    at = to_rfc3339(one.changed_at)
    return TransitionBody(one.state, one.verdict, one.sentence, one.look, at)
