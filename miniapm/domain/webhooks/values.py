"""The words of outgoing webhooks. Instants are µs."""

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from miniapm.domain.names import suggest
from miniapm.domain.webhooks.targets import Target, parse_target
from miniapm.exceptions import Invalid

EVENTS: dict[str, str] = {
    "deploy.recorded": "a deploy came to its end: it is live, failed, cancelled or timed out",
    "verdict.reached": "a verdict is final, withdrawn or superseded",
    "verdict.regressed": "a deploy made something worse, as soon as a look sees it",
    "verdict.recovered": "a regression has passed, or the next deploy made it better",
    "error.new": "an error that was never seen before",
}
"""What a webhook may listen to, and what it means."""
TEST_EVENT = "webhook.test"
HELD_EVENT = "webhook.held"
"""Sums up what came above the hourly cap."""

Format = Literal["json", "slack"]
FORMATS: tuple[Format, ...] = get_args(Format)
DeliveryState = Literal["waiting", "delivered", "failed"]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where events of a project are posted to. `disabled_at` is set once the receiver said that it
    is gone. The secret is kept as it is, for it signs; it stays out of every view. One that was
    replaced signs beside it until `old_secret_until`."""

    id: int
    project_id: int
    project_slug: str
    url: str
    format: Format
    events: tuple[str, ...]
    secret: str
    created_at: int
    disabled_at: int | None = None
    old_secret: str | None = None
    old_secret_until: int | None = None

    def find_secrets(self, now: int) -> tuple[str, ...]:
        """What signs a message posted at `now`."""
        is_over = self.old_secret_until is None or self.old_secret_until <= now
        if self.old_secret is None or is_over:
            return (self.secret,)
        return (self.secret, self.old_secret)

    @property
    def target(self) -> Target:
        return parse_target(self.url)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one webhook. `status` is the receiver's last answer; `problem` says why it
    was no success; `took_us` how long that try was. `next_attempt_at` is None once it has ended."""

    id: int
    project_id: int
    webhook_id: int
    event: str
    state: DeliveryState
    created_at: int
    attempts: int
    next_attempt_at: int | None
    tried_at: int | None
    status: int | None
    problem: str
    took_us: int | None
    body: str


def check_events(names: Sequence[str]) -> tuple[str, ...]:
    """`names`, each once and in our order; all events when there are none. Invalid names what is
    no event, and the nearest that is."""
    for name in names:
        if name not in EVENTS:
            wrong = f"has no {name!r}{suggest(name, EVENTS)}"
            raise Invalid(
                f"There is no event {name!r}{suggest(name, EVENTS)}. "
                f"There are: {', '.join(EVENTS)}.",
                {"event": wrong},
            )
    return tuple(name for name in EVENTS if name in names or not names)


def check_format(name: str | None, target: Target) -> Format:
    """`name`, or for None what fits the receiver. Invalid when there is none of that name."""
    if name is None:
        return "slack" if target.speaks_slack else "json"
    for known in FORMATS:
        if name == known:
            return known
    raise Invalid(
        f"There is no format {name!r}{suggest(name, FORMATS)}.",
        {"format": f"must be {' or '.join(FORMATS)}"},
    )
