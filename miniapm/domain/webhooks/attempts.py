"""What follows from one try to deliver a message. Durations in µs."""

from email.utils import parsedate_to_datetime
from typing import NamedTuple

from miniapm.clock import DAY, SECOND, from_datetime
from miniapm.domain.webhooks.values import TEST_EVENT, DeliveryState

# half a minute, then four times as long each: seven tries within twelve hours
_FIRST_DELAY = 30 * SECOND
_FACTOR = 4
MOST_ATTEMPTS = 7
_JITTER = 0.2
_GONE = 410
_LATER = frozenset({408, 425, 429})


class Answered(NamedTuple):
    """The receiver said `status`. `retry_after` is how long it asks to be left alone."""

    status: int
    retry_after: int | None = None


class Unreached(NamedTuple):
    """Nobody answered; `reason` ends the sentence "... failed: it"."""

    reason: str


Outcome = Answered | Unreached


class Verdict(NamedTuple):
    """What becomes of a delivery. `next_attempt_at` only where it is tried again. `disables` the
    webhook for good; `holds` back what else waits for the same receiver until then."""

    state: DeliveryState
    problem: str = ""
    next_attempt_at: int | None = None
    disables: bool = False
    holds: bool = False


def judge(event: str, attempts: int, outcome: Outcome, now: int, chance: float) -> Verdict:
    """`attempts` counts this one; `chance` is 0 to 1 and spreads the tries of many."""
    if isinstance(outcome, Answered) and 200 <= outcome.status < 300:
        return Verdict("delivered")
    problem = _explain(outcome)
    if isinstance(outcome, Answered) and outcome.status == _GONE:
        return Verdict("failed", problem, disables=True)
    if event == TEST_EVENT or attempts >= MOST_ATTEMPTS:
        return Verdict("failed", problem)
    delay = find_delay(attempts, chance)
    holds = True
    if isinstance(outcome, Answered):
        holds = outcome.status >= 500 or outcome.status in _LATER
        # to be asked for a week of silence is not to be left with stale news
        delay = max(delay, min(outcome.retry_after or 0, DAY))
    return Verdict("waiting", problem, now + delay, holds=holds)


def find_delay(attempts: int, chance: float) -> int:
    """How long to wait after try number `attempts`."""
    usual: int = _FIRST_DELAY * _FACTOR ** (attempts - 1)
    return int(usual * (1 + _JITTER * (2 * chance - 1)))


def _explain(outcome: Outcome) -> str:
    if isinstance(outcome, Unreached):
        return outcome.reason
    if outcome.status == _GONE:
        return "the receiver says that it is gone for good (410)"
    if 300 <= outcome.status < 400:
        return f"it answers with a redirect ({outcome.status}), which is not followed"
    return f"it answers {outcome.status}"


def parse_retry_after(value: str, now: int) -> int | None:
    """µs from a `Retry-After` header, which holds seconds or a date; None for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:9]) * SECOND
    try:
        return max(0, from_datetime(parsedate_to_datetime(value)) - now)
    except (ValueError, TypeError, OverflowError):
        return None
