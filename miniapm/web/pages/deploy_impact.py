"""What a deploy did, as its page tells it: the verdict, its reasons, and all the evidence."""

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from miniapm.clock import MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.minutes import ImpactMinutes
from miniapm.domain.impact.unjudged import tell_unjudged
from miniapm.domain.impact.values import (
    Confounder,
    ErrorImpact,
    Impact,
    Review,
    StoredVerdict,
)
from miniapm.domain.impact.windows import PIECE
from miniapm.domain.impact.words import VERDICT_WORDS, tell_state
from miniapm.domain.percents import tell_share
from miniapm.printable import escape_controls
from miniapm.storage.connection import Connection
from miniapm.storage.impact.shown import Judgement, find_judgement
from miniapm.storage.impact.verdicts import Transition, find_minutes
from miniapm.web.context import Context
from miniapm.web.pages.deploy_endpoints import EndpointRow, tell_endpoints
from miniapm.web.pages.deploy_examples import (
    Examples,
    find_deploy_examples,
    has_regressed_endpoints,
)
from miniapm.web.pages.deploy_overlays import Overlay, draw_overlays
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_clock, tell_duration, tell_instant
from miniapm.web.verdicts import VERDICT_CLASSES, Mark, tell_mark


class FoundImpact(NamedTuple):
    """What one look at the database gave."""

    judgement: Judgement
    minutes: ImpactMinutes | None
    examples: tuple[Examples, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A state that the verdict went through."""

    at: int
    css: str
    words: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ImpactView:
    """`state` says how far it is and when it is looked again; `compared` which minutes were set
    against each other. `gone` tells why there are no calls to look at. `can_review`: there is
    something to dismiss or confirm."""

    mark: Mark | None
    sentence: str
    state: Markup | str
    reasons: tuple[str, ...]
    confounders: tuple[Confounder, ...]
    replayed: str
    review: Review | None
    can_review: bool
    compared: Markup | str
    overlays: tuple[Overlay, ...]
    examples: tuple[Examples, ...]
    gone: str
    errors: tuple[ErrorImpact, ...]
    endpoints: tuple[EndpointRow, ...]
    more_endpoints: int
    unjudged: str
    steps: tuple[Step, ...]


def find_deploy_impact(connection: Connection, deploy: Deploy) -> FoundImpact:
    judgement = find_judgement(connection, deploy.project_id, deploy.id)
    impact = judgement.impact
    if impact is None:
        return FoundImpact(judgement, None, ())
    return FoundImpact(
        judgement,
        find_minutes(connection, deploy.project_id, deploy.id),
        find_deploy_examples(connection, deploy.project_id, impact),
    )


def tell_impact(
    deploy: Deploy, found: FoundImpact, context: Context, zone: Zone
) -> ImpactView | None:
    """None for what never went live and was never judged."""
    impact, review, transitions = found.judgement
    if impact is None:
        if deploy.status != "succeeded" or deploy.hidden_at is not None:
            return None
        return _tell_nothing(escape_controls(tell_unjudged(deploy, context.judged_since)), review)
    now = context.clock()
    decision = review.decision if review else None
    look = impact.look.minutes if impact.look else None
    verdict = StoredVerdict(impact.state, impact.verdict, impact.is_learning, decision, look)
    rows = tell_endpoints(impact)
    return ImpactView(
        mark=tell_mark(verdict),
        sentence=escape_controls(impact.sentence),
        state=_tell_state(impact, now, zone),
        # a name within a sentence must not turn the rest of it around
        reasons=tuple(escape_controls(reason) for reason in impact.reasons),
        confounders=impact.confounders,
        replayed=_tell_replayed(impact),
        review=review,
        can_review=impact.state != "pending" and _is_called(impact, transitions),
        compared=_tell_compared(impact, zone),
        overlays=draw_overlays(impact, found.minutes),
        examples=found.examples,
        gone=_tell_gone(impact, found.examples, now - context.config.lifetimes.spans),
        errors=impact.errors,
        endpoints=rows.rows,
        more_endpoints=rows.more,
        unjudged=rows.unjudged,
        steps=tuple(_tell_step(one) for one in transitions),
    )


def _tell_nothing(sentence: str, review: Review | None) -> ImpactView:
    return ImpactView(
        mark=None, sentence=sentence, state="", reasons=(), confounders=(), replayed="",
        review=review, can_review=False, compared="", overlays=(), examples=(), gone="", errors=(),
        endpoints=(), more_endpoints=0, unjudged="", steps=(),
    )  # fmt: skip


def _is_called(impact: Impact, transitions: list[Transition]) -> bool:
    """Whether it is, or was, called something that a person may know better."""
    called = {impact.verdict, *(one.verdict for one in transitions)}
    return bool(called & {"regressed", "improved"})


def _tell_state(impact: Impact, now: int, zone: Zone) -> Markup | str:
    look = impact.look.minutes if impact.look else None
    words = tell_state(impact.state, look).capitalize()
    if look is not None:
        words = f"{words}, after the {look}-minute look"
    if impact.next_look_at is None:
        return Markup("{}; judged {}.").format(words, tell_instant(impact.computed_at, zone))
    left = impact.next_look_at - now
    when = f"in {tell_duration(left + -left % MINUTE)}" if left > 0 else "any moment"
    return Markup("{}; next look {}, {}.").format(
        words, when, tell_clock(impact.next_look_at, zone)
    )


def _tell_replayed(impact: Impact) -> str:
    if not impact.moments:
        return ""
    return (
        f"The whole rule was replayed at {impact.moments:,} moments without a deploy; at "
        f"{impact.fired:,} of them ({tell_share(impact.fired / impact.moments)}) it would have "
        "called something regressed."
    )


def _tell_compared(impact: Impact, zone: Zone) -> Markup | str:
    if impact.look is None:
        return ""
    after = impact.look.after
    before = (impact.before.until - impact.before.since) // PIECE * PIECE
    if not before:
        return "Nothing to compare with: the previous deploy is too near."
    return Markup("Compared: {} until {} with {} from {}.").format(
        tell_duration(before),
        tell_clock(impact.before.until, zone),
        tell_duration(after.until - after.since),
        tell_clock(after.since, zone),
    )


def _tell_gone(impact: Impact, examples: tuple[Examples, ...], kept_since: int) -> str:
    if examples or not has_regressed_endpoints(impact):
        return ""
    if impact.at < kept_since:
        return "Its calls are no longer kept: spans have had their time."
    return "There are no calls of these minutes to look at."


def _tell_step(one: Transition) -> Step:
    state = tell_state(one.state, one.look)
    words = state if one.state == "pending" else f"{VERDICT_WORDS[one.verdict]}, {state}"
    if one.look is not None:
        words = f"{words} ({one.look} min)"
    return Step(one.changed_at, VERDICT_CLASSES[one.verdict], words, escape_controls(one.sentence))
