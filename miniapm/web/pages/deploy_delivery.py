"""What a deploy counts as in the delivery metrics, on its page."""

from dataclasses import dataclass
from typing import NamedTuple

from miniapm.domain.delivery.behind import name_behind
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.values import Outcome
from miniapm.domain.delivery.words import tell_failure, tell_rework
from miniapm.domain.deploys.values import Deploy, Overruled
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.report import find_outcome
from miniapm.storage.deploys.find import find_by_ids
from miniapm.web.pages.delivery_words import tell_wait


class FoundOutcome(NamedTuple):
    """What became of a live deploy; `names` are those of the deploys that tell it, by id."""

    outcome: Outcome
    names: dict[int, str]


@dataclass(frozen=True, slots=True)
class DeliveryTold:
    """`sentences` say what it counts as and why. `recovered_by` is the deploy that ended a failure,
    by its name. `overruled` is what a person said, `can_overrule` whether that means anything."""

    sentences: tuple[str, ...]
    is_failed: bool
    recovery: str
    recovered_by: int | None
    recovered_name: str
    overruled: Overruled | None
    can_overrule: bool


def find_deploy_outcome(
    connection: Connection, deploy: Deploy, rules: DeliveryRules
) -> FoundOutcome | None:
    """None where the deploy is not live: then it stands in no number."""
    outcome = find_outcome(connection, deploy, rules) if deploy.is_live else None
    if outcome is None:
        return None
    named = find_by_ids(connection, deploy.project_id, name_behind([outcome]))
    return FoundOutcome(outcome, {one.id: one.name for one in named.values()})


def tell_delivery(
    deploy: Deploy, found: FoundOutcome | None, rules: DeliveryRules, now: int
) -> DeliveryTold | None:
    if found is None:
        return None
    outcome, names = found
    recovery = ""
    if outcome.failure is not None:
        recovery = (
            f"Open for {tell_wait(max(now - deploy.deployed_at, 0))}."
            if outcome.recovery_us is None
            else f"Recovered in {tell_wait(outcome.recovery_us)}"
        )
    return DeliveryTold(
        sentences=tuple(filter(None, _tell(deploy, outcome, names, rules))),
        is_failed=outcome.failure is not None,
        recovery=recovery,
        recovered_by=outcome.recovered_by,
        recovered_name=names.get(outcome.recovered_by or 0, ""),
        overruled=deploy.overruled,
        can_overrule=not outcome.is_redeploy,
    )


def _tell(
    deploy: Deploy, outcome: Outcome, names: dict[int, str], rules: DeliveryRules
) -> tuple[str, ...]:
    if outcome.is_redeploy:
        return ("It counts in no number: the same commit was live already.",)
    if outcome.failure is not None:
        failed = f"It counts as failed: {tell_failure(outcome.failure, names)}."
    elif deploy.overruled == "ok":
        failed = "It does not count as failed: a person said so."
    else:
        failed = "It does not count as failed."
    return (
        failed,
        f"It is rework: {tell_rework(outcome)}." if outcome.rework else "",
        ""
        if rules.is_production(deploy.env)
        else f"Deploys to {deploy.env} count only where {deploy.env} is chosen.",
    )
