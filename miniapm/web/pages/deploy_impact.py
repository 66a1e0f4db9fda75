"""What a deploy did, as its page tells it: the verdict, its reasons, and all the evidence."""

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

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
from miniapm.domain.impact.windows import PIECE, WARM_UP
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
from miniapm.web.pages.deploy_steps import Step, tell_state_line, tell_steps
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_clock, tell_duration, tell_moment
from miniapm.web.verdicts import Mark, tell_mark


class FoundImpact(NamedTuple):
    """What one look at the database gave."""

    judgement: Judgement
    minutes: ImpactMinutes | None
    examples: tuple[Examples, ...]


@dataclass(frozen=True, slots=True)
class ImpactView:
    """`state` says how far it is and when it is looked again; `compared` which minutes were set
    against each other, `zero` where the time after begins. `gone` tells why there are no calls to
    look at. `can_review`: there is something to dismiss or confirm."""

    mark: Mark | None
    sentence: str
    state: Markup | str
    reasons: tuple[str, ...]
    confounders: tuple[Confounder, ...]
    replayed: str
    review: Review | None
    can_review: bool
    compared: Markup | str
    zero: str
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
        state=tell_state_line(impact, transitions, now, zone),
        # a name within a sentence must not turn the rest of it around
        reasons=tuple(escape_controls(reason) for reason in impact.reasons),
        confounders=impact.confounders,
        replayed=_tell_replayed(impact),
        review=review,
        can_review=impact.state != "pending" and _is_called(impact, transitions),
        compared=_tell_compared(deploy, impact, zone),
        zero=_tell_zero(deploy, impact),
        overlays=draw_overlays(impact, found.minutes),
        examples=found.examples,
        gone=_tell_gone(impact, found.examples, now - context.config.lifetimes.spans),
        errors=impact.errors,
        endpoints=rows.rows,
        more_endpoints=rows.more,
        unjudged=rows.unjudged,
        steps=tell_steps(impact, transitions),
    )


def _tell_nothing(sentence: str, review: Review | None) -> ImpactView:
    return ImpactView(
        mark=None, sentence=sentence, state="", reasons=(), confounders=(), replayed="",
        review=review, can_review=False, compared="", zero="", overlays=(), examples=(), gone="",
        errors=(), endpoints=(), more_endpoints=0, unjudged="", steps=(),
    )  # fmt: skip


def _is_called(impact: Impact, transitions: list[Transition]) -> bool:
    """Whether it is, or was, called something that a person may know better."""
    called = {impact.verdict, *(one.verdict for one in transitions)}
    return bool(called & {"regressed", "improved"})


def _tell_replayed(impact: Impact) -> str:
    if not impact.moments:
        return ""
    return (
        "All endpoints and figures together: the whole rule would have called something regressed "
        f"at {impact.fired:,} of {impact.moments:,} moments without a deploy "
        f"({tell_share(impact.fired / impact.moments)}). A reason above counts one figure of one "
        "endpoint."
    )


def _tell_compared(deploy: Deploy, impact: Impact, zone: Zone) -> Markup | str:
    if impact.look is None:
        return ""
    after = impact.look.after
    before = (impact.before.until - impact.before.since) // PIECE * PIECE
    if not before:
        return "Nothing to compare with: the previous deploy is too near."
    begun = "the deploy"
    if impact.at > deploy.deployed_at:
        begun = Markup("its first telemetry, {}").format(tell_moment(impact.at, zone))
    return Markup(
        "Compared: {} until {} with {} from {}, the first whole minute after {} of warm-up since "
        "{}."
    ).format(
        tell_duration(before),
        tell_clock(impact.before.until, zone),
        tell_duration(after.until - after.since),
        tell_clock(after.since, zone),
        tell_duration(WARM_UP),
        begun,
    )


def _tell_zero(deploy: Deploy, impact: Impact) -> str:
    late = impact.at - deploy.deployed_at
    if late <= 0:
        return "the deploy"
    return f"its first telemetry, {tell_duration(late)} after the deploy"


def _tell_gone(impact: Impact, examples: tuple[Examples, ...], kept_since: int) -> str:
    if examples or not has_regressed_endpoints(impact):
        return ""
    if impact.at < kept_since:
        return "Its calls are no longer kept: spans have had their time."
    return "There are no calls of these minutes to look at."
