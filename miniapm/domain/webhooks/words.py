"""An event in the words of a chat: Slack's mrkdwn, which Mattermost and Discord read, too.

Whatever somebody else wrote goes through `quote`: it can be no mention and no second line, and an
address with a scheme in it is no link. (`example.com` alone some chats make one of, as it stands.)
"""

from collections.abc import Mapping
from typing import Any

from miniapm.printable import escape_controls

_MOST_REASONS = 3
_LONGEST = 300
_ZERO_WIDTH_SPACE = "\u200b"
_MARKS = {"regressed": "▲", "improved": "▽", "unchanged": "●", "not_enough_data": "◌"}
_STATUS_WORDS = {
    "succeeded": "is live in",
    "failed": "failed to deploy to",
    "cancelled": "was cancelled on its way to",
    "timed_out": "never finished its deploy to",
    "started": "is being deployed to",
}


def tell_news(event: str, data: Mapping[str, Any]) -> str:
    """The message; `data` as the JSON of the event has it."""
    if event == "deploy.recorded":
        return _tell_deploy(data["deploy"])
    if event.startswith("verdict."):
        return _tell_verdict(event, data["deploy"], data["impact"])
    if event == "error.new":
        return _tell_error(data["error"])
    if "held" in data:
        return _tell_held(data["held"], data["project"])
    return f"A test of miniapm: events of {link(data['page'], data['project'])} arrive here."


def quote(text: str, longest: int = _LONGEST) -> str:
    """Text as it stands, on one line, without any power over the chat."""
    line = escape_controls(" ".join(text.split()))
    if len(line) > longest:
        line = f"{line[: longest - 1]}…"
    for sign, harmless in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        # mentions, and links as Markdown writes them
        ("@", f"@{_ZERO_WIDTH_SPACE}"),
        ("](", f"]{_ZERO_WIDTH_SPACE}("),
        ("://", f":{_ZERO_WIDTH_SPACE}//"),
        ("|", "\N{LIGHT VERTICAL BAR}"),
    ):
        line = line.replace(sign, harmless)
    return line


def link(address: str, words: str) -> str:
    """`words` as a link to a page of ours."""
    for sign in "<>|":
        address = address.replace(sign, "")
    return f"<{address}|{quote(words)}>"


def _tell_deploy(deploy: Mapping[str, Any]) -> str:
    words = _STATUS_WORDS[deploy["status"]]
    by = f", deployed by {quote(deploy['deployer'])}" if deploy["deployer"] else ""
    title = f": {quote(deploy['title'])}" if deploy["title"] else ""
    name = link(deploy["page"], deploy["name"])
    return f"*{name}* of {quote(deploy['service'])} {words} {quote(deploy['env'])}{by}{title}"


def _tell_verdict(event: str, deploy: Mapping[str, Any], impact: Mapping[str, Any]) -> str:
    has_recovered, state = event == "verdict.recovered", impact["state"]
    word = "recovered" if has_recovered else impact["verdict"].replace("_", " ")
    if not (has_recovered and state == "withdrawn"):
        word = f"{word}, {state}"
    lines = [
        f"{_MARKS[impact['verdict']]} *{quote(deploy['service'])} in {quote(deploy['env'])}: "
        f"{word}*",
        link(deploy["page"], impact["sentence"]),
    ]
    lines += [f"• {quote(reason)}" for reason in impact["reasons"][:_MOST_REASONS]]
    return "\n".join(lines)


def _tell_error(error: Mapping[str, Any]) -> str:
    places = ", ".join(quote(error[name]) for name in ("env", "version") if error[name])
    where = f" ({places})" if places else ""
    lines = [
        f"New error in {quote(error['service'])}{where}: "
        f"{link(error['page'], error['exception_class'])}"
    ]
    if error["message"]:
        lines.append(quote(error["message"]))
    if error["culprit"]:
        lines.append(f"in {quote(error['culprit'])}")
    return "\n".join(lines)


def _tell_held(held: Mapping[str, Any], project: str) -> str:
    counts = ", ".join(f"{count:,} {event}" for event, count in held["counts"].items())
    return (
        f"{link(held['page'], project)}: {counts} since {held['since']} were more than an hour's "
        "messages, so they were not told one by one."
    )
