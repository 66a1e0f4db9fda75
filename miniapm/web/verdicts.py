"""A verdict as a mark: a shape, a word, and what else there is to say of it."""

from typing import NamedTuple

from miniapm.domain.impact.values import State, StoredVerdict, Verdict
from miniapm.domain.impact.words import VERDICT_WORDS, tell_verdict

VERDICT_CLASSES: dict[Verdict, str] = {
    "regressed": "regressed",
    "improved": "improved",
    "unchanged": "unchanged",
    "not_enough_data": "unknown",
}
"""The shape of each, in impact.css and charts.css."""
_ABOUT: dict[State, str] = {
    "superseded": "replaced before there was enough to see",
    "withdrawn": "what looked like a regression has passed",
}


class Mark(NamedTuple):
    """`css` is its shape; `about` what the word alone does not say, "" where it says all."""

    css: str
    word: str
    about: str


def tell_mark(found: StoredVerdict | None) -> Mark | None:
    """None while there is nothing to mark: not looked at, or not long enough."""
    word = tell_verdict(found)
    if found is None or word is None:
        return None
    css = VERDICT_CLASSES[found.verdict]
    if found.is_dismissed:
        was = VERDICT_WORDS[found.verdict]
        return Mark(f"{css} dismissed", word, f"the verdict was: {was}")
    if found.state in _ABOUT:
        return Mark(css, word, _ABOUT[found.state])
    about = ["provisional"] * (found.state == "provisional") + ["learning"] * found.is_learning
    about += ["confirmed by hand"] * (found.decision is not None)
    return Mark(css, word, ", ".join(about))
