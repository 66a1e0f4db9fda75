"""What is told: an event with its data, as plain JSON and as a message for a chat.

Data are scrubbed before they are written down, so that nothing secret stands in either.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from miniapm.clock import to_rfc3339
from miniapm.domain.deploys.values import Deploy, Status
from miniapm.domain.impact.values import ENDED, Decision, State, Verdict
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.webhooks.values import Format
from miniapm.domain.webhooks.words import tell_news

_LONGEST_TEXT = 500


class DeployNews(msgspec.Struct, frozen=True, kw_only=True):
    """A deploy, by the names that the API has."""

    id: str
    service: str
    env: str
    git_sha: str
    version: str | None
    name: str
    title: str | None
    deployer: str | None
    status: Status
    timestamp: str
    url: str | None
    repository: str | None
    page: str


class ImpactNews(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict. `previous_verdict` is what it was before; `review` what a person said of it."""

    state: State
    verdict: Verdict
    previous_verdict: Verdict | None
    sentence: str
    reasons: list[str]
    review: Decision | None


class ErrorNews(msgspec.Struct, frozen=True, kw_only=True):
    """A group of errors, where it was first seen."""

    id: str
    service: str
    env: str
    version: str
    exception_class: str
    message: str
    culprit: str
    first_seen_at: str
    page: str


class HeldNews(msgspec.Struct, frozen=True, kw_only=True):
    """How many events were not told one by one, by their names, and since when."""

    since: str
    counts: dict[str, int]
    page: str


class NewsData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event is about."""

    project: str
    page: str
    deploy: DeployNews | None = None
    impact: ImpactNews | None = None
    error: ErrorNews | None = None
    held: HeldNews | None = None


class News(msgspec.Struct, frozen=True, kw_only=True):
    """An event. `subject_id` is the row that it tells of: once for each, whatever happens."""

    event: str
    subject_id: int
    happened_at: int
    data: NewsData

    def scrub(self, scrubber: Scrubber) -> "News":
        """The same without secrets in the texts. The names of the fields are ours: none of them is
        a secret's, whatever the setting says."""
        scrubbed = _scrub(msgspec.to_builtins(self.data), scrubber.scrub_text)
        return msgspec.structs.replace(self, data=msgspec.convert(scrubbed, NewsData))

    def encode(self, form: Format) -> str:
        """The body of the message."""
        if form == "slack":
            text = tell_news(self.event, msgspec.to_builtins(self.data))
            return msgspec.json.encode({"text": text}).decode()
        body = {"type": self.event, "timestamp": to_rfc3339(self.happened_at), "data": self.data}
        return msgspec.json.encode(body).decode()


def _scrub(value: Any, scrub_text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, list):
        return [_scrub(item, scrub_text) for item in value]
    if isinstance(value, dict):
        return {name: _scrub(item, scrub_text) for name, item in value.items()}
    return value


VerdictEvent = Literal["verdict.regressed", "verdict.recovered", "verdict.reached"]


def name_verdict_events(
    now: tuple[State, Verdict],
    before: tuple[State, Verdict] | None,
    previous_deploy: Verdict | None,
    *,
    is_edit: bool = False,
) -> list[VerdictEvent]:
    """What to tell when a deploy's verdict comes to `now` from `before`, the most telling first.
    `previous_deploy` is the verdict of the deploy that was live in its place before it; `is_edit`
    says that somebody corrected what the verdict rests on: only a regression is news then."""
    state, verdict = now
    was_regressed = before is not None and before[1] == "regressed"
    events: list[VerdictEvent] = []
    if verdict == "regressed" and not was_regressed:
        events.append("verdict.regressed")
    if is_edit:
        return events
    has_passed = was_regressed and verdict != "regressed" and state != "pending"
    is_repaired = state == "final" and verdict == "improved" and previous_deploy == "regressed"
    if has_passed or is_repaired:
        events.append("verdict.recovered")
    if state in ENDED:
        events.append("verdict.reached")
    return events


def tell_deploy(deploy: Deploy, title: str | None, page: str) -> DeployNews:
    """`title` as people see it, `page` where they do."""
    return DeployNews(
        id=str(deploy.id),
        service=deploy.service,
        env=deploy.env,
        git_sha=deploy.git_sha,
        version=deploy.version,
        name=deploy.name,
        title=cut(title) if title else None,
        deployer=deploy.deployer,
        status=deploy.status,
        timestamp=to_rfc3339(deploy.deployed_at),
        url=deploy.url,
        repository=deploy.repository,
        page=page,
    )


def cut(text: str) -> str:
    """Text of any length, for a message."""
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
