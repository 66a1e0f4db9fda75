"""The corrections of a deploy as its page tells them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from miniapm.domain.deploys.values import Overruled
from miniapm.storage.deploys.change import Change
from miniapm.web.pages.deploy_words import LABELS, STATUS_WORDS, first_line
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_instant

_NOTHING = "nothing"
_OVERRULED_WORDS: dict[Overruled | None, str] = {
    "failed": "Said that it failed.",
    "ok": "Said that it was fine.",
    None: "Took back what was said about a failure.",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; an instant is a `<time>` in the viewer's zone."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One correction. `done` says in a word what it did."""

    id: int
    actor: str
    at: int
    done: str
    fields: tuple[FieldChange, ...]


def tell_changes(changes: Iterable[Change], zone: Zone) -> tuple[ToldChange, ...]:
    return tuple(_tell(change, zone) for change in changes)


def _tell(change: Change, zone: Zone) -> ToldChange:
    fields = tuple(
        FieldChange(
            LABELS.get(name, name),
            _show(name, change.before.get(name), zone),
            _show(name, after, zone),
        )
        for name, after in change.after.items()
        if name not in ("hidden_at", "overruled")
    )
    return ToldChange(change.id, change.actor, change.changed_at, _done(change.after), fields)


def _done(after: dict[str, Any]) -> str:
    if "hidden_at" in after:
        return "Hidden." if after["hidden_at"] is not None else "Restored."
    return _OVERRULED_WORDS[after["overruled"]] if "overruled" in after else "Saved."


def _show(name: str, value: Any, zone: Zone) -> str:
    if value in (None, "", []):
        return _NOTHING
    if name.endswith("_at"):
        return tell_instant(value, zone)
    if isinstance(value, list):
        return ", ".join(value)
    if name == "status":
        return STATUS_WORDS[value]
    return first_line(str(value))
