"""The form that corrects a deploy: what stands in it, and which fields a person changed."""

from dataclasses import dataclass

from miniapm.domain.deploys.corrections import CORRECTABLE, OVERRULED
from miniapm.domain.deploys.values import Deploy
from miniapm.exceptions import Conflict, Invalid
from miniapm.storage.audit import Act
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import Changed, edit_deploy
from miniapm.storage.deploys.find import get_deploy
from miniapm.web.forms import Form
from miniapm.web.pages.deploy_words import LABELS, STATUS_WORDS
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_iso

# what a person says of a deploy has buttons of its own
_SHOWN = tuple(name for name in CORRECTABLE if name != OVERRULED)
_HINTS = {
    "timestamp": "When it was live, or failed; while it runs, when it began. ISO 8601.",
    "started_at": "ISO 8601. With it, the page can say how long the deploy took.",
    "tags": "Separated by commas.",
    "repository": "https address, or git@host:path.",
}
_LONGEST = {"env": 100, "service": 100, "tags": 6000, "url": 2000, "repository": 2000, "title": 500}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `options` makes it a menu; `fault` says what is wrong with `value`."""

    name: str
    label: str
    value: str
    fault: str = ""
    hint: str = ""
    longest: int = 200
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that was not taken: what was entered, and why not."""

    form: Form
    faults: dict[str, str]
    trouble: str


def refuse(form: Form, error: Invalid | Conflict) -> Draft:
    """The draft that shows `error` beside what was entered."""
    fields = error.fields if isinstance(error, Invalid) else {}
    trouble = "Nothing was saved yet: look at the fields below." if fields else error.message
    return Draft(form, fields, trouble)


def make_fields(deploy: Deploy, zone: Zone, draft: Draft | None) -> tuple[Field, ...]:
    """The form's fields with what is stored, or what was entered in `draft`."""
    values = _values(deploy, zone)
    entered = draft.form if draft else {}
    faults = draft.faults if draft else {}
    return tuple(
        Field(
            name=name,
            label=LABELS[name],
            value=entered.get(name, values[name]),
            fault=faults.get(name, ""),
            hint=_HINTS.get(name, ""),
            longest=_LONGEST.get(name, 200),
            options=_status_options(deploy) if name == "status" else (),
        )
        for name in _SHOWN
    )


def _status_options(deploy: Deploy) -> tuple[tuple[str, str], ...]:
    # nobody announces a time-out; it is there only to be kept
    return tuple(
        (status, words)
        for status, words in STATUS_WORDS.items()
        if status != "timed_out" or deploy.status == "timed_out"
    )


def _values(deploy: Deploy, zone: Zone) -> dict[str, str]:
    """Each correctable field as it stands in the form."""
    values = {name: getattr(deploy, name, None) or "" for name in _SHOWN}
    return values | {
        "tags": ", ".join(deploy.tags),
        "timestamp": tell_iso(deploy.deployed_at, zone),
        "started_at": "" if deploy.started_at is None else tell_iso(deploy.started_at, zone),
    }


def save_form(
    connection: Connection, act: Act, project_id: int, deploy_id: int, form: Form, zone: Zone
) -> Changed:
    """Stores the fields that differ from what is there. Invalid names the bad ones; Conflict when
    the deploy changed since the form was made (`seen`)."""
    deploy = get_deploy(connection, project_id, deploy_id)
    if form.get("seen", str(deploy.updated_at)) != str(deploy.updated_at):
        raise Conflict(
            "The deploy changed while you edited it. Below is what you entered: "
            "check it against the page and save again."
        )
    return edit_deploy(connection, act, project_id, deploy_id, _find_changed(deploy, form, zone))


def _find_changed(deploy: Deploy, form: Form, zone: Zone) -> dict[str, str]:
    values = _values(deploy, zone)
    entered = {n: form[n].replace("\r\n", "\n").strip() for n in _SHOWN if n in form}
    return {name: value for name, value in entered.items() if value != values[name]}
