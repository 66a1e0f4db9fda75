"""Deploys without a verdict: whether one will come, and why not."""

from miniapm.clock import HOUR
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.retention import Lifetimes


def find_judged_since(lifetimes: Lifetimes, now: int) -> int:
    """Deploys of before (µs) are not judged any more: the minutes around them are gone."""
    return now - lifetimes.minutes + HOUR


def is_awaited(deploy: Deploy, judged_since: int) -> bool:
    """Whether a verdict of a deploy without one may come by itself. Those of before
    `judged_since` (µs) are not judged any more."""
    return deploy.status == "started" or (deploy.is_live and deploy.deployed_at >= judged_since)


def tell_unjudged(deploy: Deploy, judged_since: int) -> str:
    """Why there is no verdict (yet), in a sentence."""
    name = deploy.name
    if deploy.hidden_at is not None:
        return f"{name} is hidden: it is not judged."
    if deploy.status == "started":
        return f"{name} still runs: it is judged once it is live."
    if deploy.status != "succeeded":
        return f"{name} did not go live: there is nothing to judge."
    if deploy.is_left_out:
        return f"{name} is left out of every number: it is not judged."
    if deploy.deployed_at < judged_since:
        return f"{name} was not judged while the minutes around it were kept."
    return f"{name} is not judged yet."
