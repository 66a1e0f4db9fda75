"""What a person says of a verdict, as it was sent."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.texts import clean_text
from miniapm.domain.impact.values import Decision
from miniapm.exceptions import Invalid
from miniapm.printable import printable

LONGEST_NOTE = 2000
_DECISIONS: dict[str | None, Decision | None] = {
    "dismiss": "dismiss",
    "confirm": "confirm",
    None: None,
}


class Said(NamedTuple):
    """`decision` None takes back what was said before."""

    decision: Decision | None
    note: str


def read_review(given: Mapping[str, Any]) -> Said:
    """`decision` and `note` of `given`, as JSON decodes them; Invalid names each bad field."""
    problems = {
        printable(name): "means nothing here" for name in given if name not in ("decision", "note")
    }
    decision, note = given.get("decision"), given.get("note")
    if "decision" not in given:
        problems["decision"] = "is required"
    elif not (decision is None or isinstance(decision, str)) or decision not in _DECISIONS:
        problems["decision"] = "must be dismiss, confirm, or null to take it back"
    if note is None:
        note = ""
    elif not isinstance(note, str):
        problems["note"] = "must be text"
    else:
        note, bad = clean_text(note.strip(), lines=True)
        if bad is not None:
            problems["note"] = f"holds the control character {bad}"
        elif len(note) > LONGEST_NOTE:
            problems["note"] = f"must be at most {LONGEST_NOTE:,} characters long"
    if problems:
        raise Invalid(summarise(problems), problems)
    return Said(_DECISIONS[decision], note)
