"""Looking into the payloads of foreign senders: every bad field is named by its path in them."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.texts import clean_url, find_control, find_template
from miniapm.domain.deploys.values import Commit
from miniapm.domain.instants import parse_instant
from miniapm.exceptions import Invalid

T = TypeVar("T")

MOST_COMMITS = 4096
_MAX_NAME = 200
_MAX_MESSAGE = 10_000
_SHA = re.compile("[0-9a-fA-F]{7,64}")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Payload:
    """A decoded payload. Paths have dots; what is null is absent; `problems` fill as it is read."""

    def __init__(self, value: Mapping[str, Any], place: str = "") -> None:
        self._value = value
        self._place = place
        self.problems: dict[str, str] = {}

    def text(self, path: str) -> str | None:
        """A string, trimmed; None when it is absent or empty."""
        found = self._get(path, str, "must be a string")
        return (found or "").strip() or None

    def required(self, path: str) -> str:
        """A string that must be there; "" where it is not."""
        found = self.text(path)
        if found is None:
            self.problems.setdefault(self._place + path, "is missing")
        return found or ""

    def required_name(self, path: str) -> str:
        """Text of one line that must be there, as it may be shown; "" where it is not."""
        found = tidy_name(self.text(path))
        if found is None:
            self.problems.setdefault(self._place + path, "is missing")
        return found or ""

    def name(self, path: str, most: int) -> str | None:
        """A name of at most `most` characters, which a sender must have filled in."""
        found = self.text(path) or ""
        bad, template = find_control(found), find_template(found)
        if len(found) > most:
            self.problems[self._place + path] = f"must be at most {most} characters long"
        elif bad is not None:
            self.problems[self._place + path] = f"holds the control character {bad}"
        elif template is not None:
            wrong = f"holds {template!r}, which was not filled in before sending"
            self.problems[self._place + path] = wrong
        return found or None

    def sha(self, path: str) -> str:
        """A commit's id that must be there; "" where it is not."""
        found = self.required(path)
        if found and _SHA.fullmatch(found) is None:
            self.problems[self._place + path] = "must be the id of a commit"
            return ""
        return found

    def number(self, path: str) -> int | None:
        """A whole number."""
        found = self._get(path, int, "must be a whole number")
        return None if isinstance(found, bool) else found

    def flag(self, path: str) -> bool | None:
        return self._get(path, bool, "must be true or false")

    def has(self, path: str) -> bool:
        """Whether something stands there."""
        return self._find(path) is not None

    def instant(self, path: str) -> int | None:
        """When something happened (µs)."""
        value = self._find(path)
        if value is None or value == "":
            return None
        try:
            if not isinstance(value, str | int | float):
                raise ValueError("must be a time")
            return parse_instant(value)
        except ValueError as error:
            self.problems[self._place + path] = str(error)
            return None

    def items(self, path: str) -> list["Payload"]:
        """The objects in a list; their problems are ours."""
        found = self._get(path, list, "must be a list") or []
        payloads = []
        for index, item in enumerate(found[:MOST_COMMITS]):
            place = f"{self._place}{path}[{index}]"
            if isinstance(item, dict):
                payload = Payload(item, f"{place}.")
                payload.problems = self.problems
                payloads.append(payload)
            else:
                self.problems[place] = "must be an object"
        return payloads

    def refuse_bad(self) -> None:
        """Invalid when something was wrong, or missing."""
        if self.problems:
            raise Invalid(summarise(self.problems), self.problems)

    def _get(self, path: str, kind: type[T], wrong: str) -> T | None:
        value = self._find(path)
        if value is None or isinstance(value, kind):
            return value
        self.problems[self._place + path] = wrong
        return None

    def _find(self, path: str) -> Any:
        if "." not in path:
            return self._value.get(path)
        value: Any = self._value
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


def read_commit(payload: Payload) -> Commit:
    """A commit as GitHub and GitLab write it in pushes and beside runs."""
    return Commit(
        sha=payload.sha("id"),
        committed_at=payload.instant("timestamp"),
        message=tidy_text(payload.text("message")),
        author=tidy_name(payload.text("author.name") or payload.text("author.username")),
    )


def tidy_text(text: str | None) -> str | None:
    """Free text without the control characters that ours may not have; cut where it is endless."""
    if text is None:
        return None
    return _UNFIT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:_MAX_MESSAGE] or None


def tidy_name(text: str | None) -> str | None:
    """Text of one line, and no more than 200 characters: no deploy is lost for a long name."""
    tidied = " ".join((tidy_text(text) or "").split())
    return tidied[:_MAX_NAME] or None


def tidy_branch(text: str | None) -> str:
    """A branch as sentences name it."""
    return tidy_name(text) or "no branch"


def tidy_url(text: str | None) -> str | None:
    """An http(s) address; None for anything else."""
    try:
        return clean_url(text)[:2000] if text and text.isprintable() else None
    except ValueError:
        return None
