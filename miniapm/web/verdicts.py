"""A verdict as a mark: a shape, a word, and what else there is to say of it."""

from typing import NamedTuple

from miniapm.domain.impact.values import StoredVerdict, Verdict
from miniapm.domain.impact.words import VERDICT_WORDS

VERDICT_CLASSES: dict[Verdict, str] = {
    "regressed": "regressed",
    "improved": "improved",
    "unchanged": "unchanged",
    "not_enough_data": "unknown",
}
"""The shape of each, in impact.css and charts.css."""


class Mark(NamedTuple):
    """`css` is its shape; `about` what the word alone does not say, "" where it says all."""

    css: str
    word: str
    about: str


def tell_mark(found: StoredVerdict | None) -> Mark | None:
    """None while there is nothing to mark: not looked at, or not long enough."""
    if found is None or found.state == "pending":
        return None
    css, word = VERDICT_CLASSES[found.verdict], VERDICT_WORDS[found.verdict]
    if found.is_dismissed:
        return Mark(f"{css} dismissed", "dismissed", f"the verdict was: {word}")
    about = ["learning"] * found.is_learning + ["confirmed by hand"] * (found.decision is not None)
    if found.state == "superseded":
        return Mark(css, "superseded", "replaced before there was enough to see")
    if found.state == "withdrawn":
        return Mark(css, "withdrawn", "what looked like a regression has passed")
    if found.state == "provisional":
        about.insert(0, "provisional")
        # what is not known yet is provisional anyway
        word = word if found.verdict == "not_enough_data" else f"{word} so far"
    return Mark(css, word, ", ".join(about))
