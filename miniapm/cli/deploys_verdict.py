"""The verdict of a deploy as `deploys list` and `deploys show` tell it to people."""

from miniapm.domain.deploys.shown import ShownDeploy
from miniapm.domain.impact.unjudged import is_awaited
from miniapm.domain.impact.words import tell_verdict


def tell_its_verdict(shown: ShownDeploy, judged_since: int) -> str | None:
    """In the words of the pages; None where there is nothing to judge. Deploys of before
    `judged_since` (µs) are not judged any more."""
    word = tell_verdict(shown.verdict)
    is_to_come = word is None and is_awaited(shown.deploy, judged_since)
    return "not judged yet" if is_to_come else word
