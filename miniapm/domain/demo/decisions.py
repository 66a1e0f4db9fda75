"""What people of the shop said about errors."""

from typing import NamedTuple

from miniapm.clock import DAY, HOUR
from miniapm.domain.demo.faults import NO_CONNECTION, UNKNOWN_HOST
from miniapm.domain.demo.steps import Span
from miniapm.domain.demo.story import ANA, JONAS
from miniapm.domain.errors.values import State


class Decision(NamedTuple):
    """`at` is µs before now (negative)."""

    at: int
    exception_class: str
    state: State
    actor: str


_DECISIONS = (
    Decision(-6 * DAY, UNKNOWN_HOST.exception_class, "ignored", JONAS),
    Decision(-3 * DAY + HOUR, NO_CONNECTION.exception_class, "resolved", ANA),
)


def find_decisions(span: Span) -> list[Decision]:
    """Those that fall into a step."""
    return [decision for decision in _DECISIONS if span.since <= decision.at < span.until]
