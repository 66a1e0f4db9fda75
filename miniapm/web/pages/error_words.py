"""Errors in the words of the pages."""

from miniapm.domain.errors.values import Group, State

STATE_WORDS: dict[State, str] = {"open": "open", "resolved": "resolved", "ignored": "ignored"}


def tell_state(group: Group) -> str:
    """`open`, `regressed`, `resolved`, `ignored`: the class of its mark, too."""
    return "regressed" if group.is_regressed else STATE_WORDS[group.state]
