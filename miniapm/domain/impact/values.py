"""The words of impact: a verdict, the evidence for each endpoint, and how it stands with time.

Instants and durations are µs, shares 0 to 1, shifts natural logarithms of after over before.
"""

from typing import Literal, NamedTuple

import msgspec

Verdict = Literal["regressed", "improved", "unchanged", "not_enough_data"]
State = Literal["pending", "provisional", "final", "withdrawn", "superseded"]
"""`pending` before the first look that decides; `withdrawn`: what an earlier look saw has passed;
`superseded`: the next deploy came before there was enough to see."""
ENDED: frozenset[State] = frozenset({"final", "withdrawn", "superseded"})
"""States that time alone does not change any more."""

Metric = Literal["p50", "p95", "error_rate"]
Decision = Literal["dismiss", "confirm"]


class Window(msgspec.Struct, frozen=True):
    """since <= t < until, whole minutes."""

    since: int
    until: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How one metric of one endpoint moved, and how it usually moves.

    `before` and `after` are µs, or shares of failed requests; `shift` is what was judged: the
    steady part of the move (for errors the z of it), `typical` and `usual` the median and the usual
    swing of that very number at `moments` without a deploy, at `fired` of which the rule would have
    fired. `score` counts usual swings; from `limit` on it is a change. `blocks` are the values of
    the blocks after the deploy (None: no requests), `shifted` tells how many of them moved so.
    """

    metric: Metric
    verdict: Verdict
    before: float
    after: float
    shift: float
    typical: float
    usual: float
    score: float
    limit: float
    moments: int
    fired: int
    blocks: tuple[float | None, ...]
    shifted: int
    smallest_visible_change: float | None
    failed_before: int = 0
    failed_after: int = 0


class EndpointImpact(msgspec.Struct, frozen=True, kw_only=True):
    """What the deploy did to one endpoint. `requests` are those of the two windows.

    `changes` has every metric that could be measured; `note` says why it could not be judged, or
    what is odd. `smallest_visible_change` is the share (0.2: +20 %) from which a slow-down of its
    p50 would have been called one. `is_learning`: too little past to know its usual swing.
    `same_time`: old and new version served together, and were compared with each other.
    """

    endpoint_id: int
    name: str
    verdict: Verdict
    requests_before: int
    requests_after: int
    minutes_before: int
    minutes_after: int
    share: float
    counts: bool
    is_learning: bool
    changes: tuple[Change, ...] = ()
    smallest_visible_change: float | None = None
    same_time: bool = False
    note: str = ""

    def find_change(self, metric: Metric) -> Change | None:
        """The change of one metric, if it was measured."""
        return next((change for change in self.changes if change.metric == metric), None)


class ErrorImpact(msgspec.Struct, frozen=True, kw_only=True):
    """An error that is new since the deploy, or came back with it.

    `blocks` counts those of the blocks after the deploy in which it occurred. `counts` tells
    whether it is enough to call the deploy regressed.
    """

    group_id: int
    exception_class: str
    message: str
    culprit: str
    is_new: bool
    count: int
    blocks: int
    counts: bool


class Confounder(msgspec.Struct, frozen=True):
    """Another deploy near enough to be the cause as well."""

    deploy_id: int
    service: str
    name: str
    deployed_at: int


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look saw: `minutes` of the time after the deploy (5, 10, 30, 60)."""

    minutes: int
    verdict: Verdict
    is_learning: bool
    after: Window
    endpoints: tuple[EndpointImpact, ...] = ()
    errors: tuple[ErrorImpact, ...] = ()
    smallest_visible_change: float | None = None


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with a deploy. `look` is the latest look (None before the first), `looks` tells
    what each one came to. `at` is the instant that the windows count from, `after_since` the
    end of the warm-up, `next_at` the next deploy of the same service and env.

    `moments` and `fired`: the whole rule replayed at moments of the past without a deploy, and at
    how many of them it would have called any endpoint regressed.
    """

    deploy_id: int
    service: str
    env: str
    state: State
    verdict: Verdict
    is_learning: bool
    at: int
    before: Window
    after_since: int
    next_at: int | None
    computed_at: int
    next_look_at: int | None
    sentence: str
    reasons: tuple[str, ...] = ()
    look: Look | None = None
    looks: tuple[tuple[int, Verdict], ...] = ()
    confounders: tuple[Confounder, ...] = ()
    moments: int = 0
    fired: int = 0

    @property
    def endpoints(self) -> tuple[EndpointImpact, ...]:
        return self.look.endpoints if self.look else ()

    @property
    def errors(self) -> tuple[ErrorImpact, ...]:
        return self.look.errors if self.look else ()

    @property
    def smallest_visible_change(self) -> float | None:
        return self.look.smallest_visible_change if self.look else None


class Review(msgspec.Struct, frozen=True):
    """What a person said of a verdict; the last word of it."""

    decision: Decision
    note: str
    actor: str
    reviewed_at: int


class StoredVerdict(NamedTuple):
    """What lists show of a verdict. `decision` is what a person said of it, if anybody did; `look`
    the minutes of the look that it came with."""

    state: State
    verdict: Verdict
    is_learning: bool
    decision: Decision | None
    look: int | None

    @property
    def is_dismissed(self) -> bool:
        return self.decision == "dismiss"

    @property
    def reached(self) -> Verdict | None:
        """The verdict once there is one."""
        return None if self.state == "pending" else self.verdict
