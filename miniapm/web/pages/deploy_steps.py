"""How far a verdict is, since when, and what it went through."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from miniapm.clock import MINUTE
from miniapm.domain.impact.values import Impact
from miniapm.domain.impact.words import VERDICT_WORDS, tell_state
from miniapm.printable import escape_controls
from miniapm.storage.impact.verdicts import Transition
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_clock, tell_duration, tell_instant
from miniapm.web.verdicts import VERDICT_CLASSES


@dataclass(frozen=True, slots=True)
class Step:
    """A state that the verdict went through."""

    at: int
    css: str
    words: str
    sentence: str


def tell_state_line(
    impact: Impact, transitions: Sequence[Transition], now: int, zone: Zone
) -> Markup:
    """How far it is, and when that came about or when it is looked again."""
    latest = transitions[-1]
    look = impact.look.minutes if impact.look else None
    words = tell_state(impact.state, look).capitalize()
    if look is not None:
        words = f"{words}, after the {look}-minute look"
    if impact.next_look_at is None:
        reached = Markup("{}; reached {}").format(words, tell_instant(latest.changed_at, zone))
        if not _is_judged_again(impact, latest):
            return reached + "."
        again = tell_instant(impact.computed_at, zone)
        return reached + Markup(", judged again {}.").format(again)
    left = impact.next_look_at - now
    when = f"in {tell_duration(left + -left % MINUTE)}" if left > 0 else "any moment"
    return Markup("{}; next look {}, {}.").format(
        words, when, tell_clock(impact.next_look_at, zone)
    )


def tell_steps(impact: Impact, transitions: Sequence[Transition]) -> tuple[Step, ...]:
    """Where it was judged again, the last one tells the same as the headline."""
    *earlier, latest = transitions
    if _is_judged_again(impact, latest):
        latest = latest._replace(sentence=impact.sentence)
    return tuple(_tell_step(one) for one in (*earlier, latest))


def _tell_step(one: Transition) -> Step:
    state = tell_state(one.state, one.look)
    words = state if one.state == "pending" else f"{VERDICT_WORDS[one.verdict]}, {state}"
    if one.look is not None:
        words = f"{words} ({one.look} min)"
    return Step(one.changed_at, VERDICT_CLASSES[one.verdict], words, escape_controls(one.sentence))


def _is_judged_again(impact: Impact, latest: Transition) -> bool:
    """Whether what came later gave other words at the same look."""
    look = impact.look.minutes if impact.look else None
    return latest.look == look and latest.sentence != impact.sentence
