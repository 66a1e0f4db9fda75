"""What `miniapm check` prints, and with which code it exits."""

import json

from miniapm.cli.check_waiting import Checked
from miniapm.client.deploys import Deploy
from miniapm.client.impacts import Outcome, exit_code
from miniapm.printable import escape_controls

_WORDS: dict[Outcome, str] = {"not_enough_data": "not enough data"}
_NOTES: dict[Outcome, str] = {
    "learning": "It is still learned what is usual here, so this stops nothing.",
    "pending": "There is no verdict that counts yet.",
}


def print_checked(
    checked: Checked, previous: Deploy | None, *, strict: bool, as_json: bool
) -> None:
    """The verdict with its reasons; `previous` is what a rollback would go back to."""
    if as_json:
        print(json.dumps(_to_json(checked, previous, strict=strict), indent=2), flush=True)
        return
    for line in _list_lines(checked, previous):
        # what a sender wrote may hold GitHub's old form of commands to the runner; the new one
        # counts at the beginning of a line, which is always ours
        print(escape_controls(line).replace("##[", "# #["))


def _list_lines(checked: Checked, previous: Deploy | None) -> list[str]:
    impact, outcome = checked.impact, checked.outcome
    word = _WORDS.get(outcome, outcome)
    state = " (provisional)" if impact.state == "provisional" and outcome != "pending" else ""
    lines = [f"{word}{state}: {impact.sentence}"]
    lines += [f"- {reason}" for reason in impact.reasons]
    if impact.decision and impact.verdict == "regressed":
        lines.append(_tell_review(checked))
    if outcome in _NOTES:
        lines.append(f"- {_NOTES[outcome]}")
    if previous is not None and outcome == "regressed":
        lines.append(f"- Before it, {previous.name} was live.")
    if checked.deploy.page:
        lines.append(f"- {checked.deploy.page}")
    return lines


def _tell_review(checked: Checked) -> str:
    review = checked.impact.known["review"]
    word = "Dismissed" if checked.outcome == "dismissed" else "Confirmed"
    note = f": {review['note']}" if review.get("note") else ""
    return f"- {word} by {review.get('actor')}{note}"


def _to_json(checked: Checked, previous: Deploy | None, *, strict: bool) -> dict[str, object]:
    """The server's answer, with what the gate made of it."""
    deploy = checked.deploy
    return {
        **checked.impact.known,
        "outcome": checked.outcome,
        "exit_code": exit_code(checked.outcome, strict=strict),
        "git_sha": deploy.git_sha,
        "version": deploy.version,
        "env": deploy.env,
        "service": deploy.service,
        "page": deploy.page,
        "previous_sha": previous.git_sha if previous else None,
        "previous_version": previous.version if previous else None,
    }
