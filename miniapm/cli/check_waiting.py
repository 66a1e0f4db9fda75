"""Waits for the verdict on a deploy: finds the deploy, then asks until there is an answer."""

from dataclasses import dataclass

from miniapm.cli.progress import Progress
from miniapm.client.asking import Asker
from miniapm.client.deadline import Deadline
from miniapm.client.deploys import DEPLOYS, Deploy
from miniapm.client.finding import Wanted, find_deploy
from miniapm.client.impacts import Impact, NoVerdict, Outcome, decide, parse_impact
from miniapm.exceptions import NotFound, Unavailable

# less than the minute after which many proxies give up
_LONGEST_POLL = 25


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it; `impact` is the last answer."""

    deploy: Deploy
    impact: Impact
    outcome: Outcome


def wait_for_verdict(
    asker: Asker, wanted: Wanted, progress: Progress, *, until_final: bool
) -> Checked:
    """Returns as soon as the outcome is known, or with `pending` at the deadline.

    NotFound and Unavailable say that nobody can tell, Invalid that the caller is wrong.
    """
    deploy = _wait_for_deploy(asker, wanted, progress)
    impact = _ask(asker, deploy, 0)
    while True:
        outcome = decide(impact, until_final=until_final)
        if outcome is None and not asker.deadline.remaining():
            outcome = "pending"
        if outcome is not None:
            return Checked(deploy, impact, outcome)
        described = _describe(deploy, impact)
        progress.show(described)
        poll = Deadline(min(_LONGEST_POLL, int(asker.deadline.remaining())))
        impact = _ask(asker, deploy, int(poll.seconds))
        if described != _describe(deploy, impact):
            asker.hurry()
        elif poll.remaining() or not poll.seconds:
            asker.pause()  # it does not hold its answers back


def _wait_for_deploy(asker: Asker, wanted: Wanted, progress: Progress) -> Deploy:
    while True:
        found = find_deploy(asker, wanted)
        if found is not None and found.is_live:
            asker.hurry()
            return found
        if found is not None and not found.may_go_live:
            what = "hidden" if found.is_hidden else found.status.replace("_", " ")
            raise NotFound(f"The {wanted} is {what}: only one that is live has a verdict.")
        problem = "is not recorded yet" if found is None else "has not ended yet"
        progress.show(f"the {wanted} {problem}")
        if not asker.pause():
            raise NotFound(f"The {wanted} {problem}; see that its hook reports it.")


def _ask(asker: Asker, deploy: Deploy, seconds: int) -> Impact:
    try:
        return parse_impact(asker.get(f"{DEPLOYS}/{deploy.id}/impact", wait=seconds))
    except NoVerdict:
        raise Unavailable(
            "The server's answer is no verdict; see that MINIAPM_URL is the address of miniapm."
        ) from None


def _describe(deploy: Deploy, impact: Impact) -> str:
    verdict = "" if impact.state == "pending" else f", {impact.verdict.replace('_', ' ')}"
    return f"{deploy.name} of {deploy.service} in {deploy.env}: {impact.state}{verdict}"
