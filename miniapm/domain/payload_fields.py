"""Reading a decoded JSON object by the rules that all our own payloads share.

Strings are trimmed; empty ones and null mean absent; aliases given twice must agree; control
characters and lone surrogates are refused; unknown fields are ignored; every bad field is named.
"""

from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Generic, TypeVar

import msgspec

from miniapm.domain.deploys.explaining import explain
from miniapm.domain.deploys.texts import clean_text
from miniapm.printable import printable

_MISSING = "is required"
_MOST_COMPARED, _MOST_NAMED, _LONGEST_NAME = 100, 5, 40

Problems = dict[str, str]
Payload = TypeVar("Payload", bound=msgspec.Struct)


class PayloadFields(Generic[Payload]):
    """The fields of one kind of payload.

    `free_text` may hold line breaks and tabs. The characters of `unchecked` fields are looked at
    later; so are the items of `itemised` lists, which are then named by their place.
    """

    def __init__(
        self,
        payload: type[Payload],
        aliases: Mapping[str, str],
        *,
        free_text: frozenset[str] = frozenset(),
        unchecked: frozenset[str] = frozenset(),
        itemised: frozenset[str] = frozenset(),
    ) -> None:
        self._payload = payload
        self._aliases = aliases
        self._free_text = free_text
        self._unchecked = unchecked
        self._itemised = itemised
        self._fields = {field.name: field for field in msgspec.structs.fields(payload)}
        self._canonical = {**{name: name for name in self._fields}, **aliases}

    def collect(self, given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
        """Known fields under their own names: trimmed, without empty ones, aliases folded."""
        values: dict[str, Any] = {}
        for name, value in given.items():
            canonical = self._canonical.get(name)
            if canonical is None or value is None:
                continue
            if type(value) is str:
                value = value.strip()
                if not value:
                    continue
                if not value.isprintable() and canonical not in self._unchecked:
                    value = self._check_characters(canonical, value, problems)
            # a list cannot be meant, and comparing endlessly nested ones would not end well
            if canonical in values and (type(value) is list or values[canonical] != value):
                other = next(n for n in given if n != name and self._canonical.get(n) == canonical)
                problems[name] = f"differs from {other!r}, which means the same"
                problems[other] = f"differs from {name!r}, which means the same"
            values[canonical] = value
        return values

    def _check_characters(self, canonical: str, value: str, problems: Problems) -> str:
        cleaned, bad = clean_text(value, lines=canonical in self._free_text)
        if bad is not None:
            problems[canonical] = f"holds the control character {bad}"
        return cleaned

    def convert(self, values: dict[str, Any], problems: Problems) -> Payload | None:
        """The struct, or None with each bad field explained."""
        # lone surrogates are among the problems by now, and msgspec trips over them
        if not problems:
            try:
                return msgspec.convert(values, self._payload)
            except (msgspec.ValidationError, UnicodeEncodeError):
                pass  # the latter for a lone surrogate in the name of a nested field
        for name, field in self._fields.items():
            if name in problems:
                continue
            if name not in values:
                if field.required:
                    problems[name] = _MISSING
                continue
            try:
                msgspec.convert(values[name], field.type)
            except msgspec.ValidationError as error:
                if name not in self._itemised or " - at " not in str(error):
                    problems[name] = explain(error)
            except UnicodeEncodeError:
                if name not in self._itemised:
                    problems[name] = "holds a lone surrogate"
        return None

    def name_strangers(self, given: Mapping[str, Any], wanted: str = "") -> str:
        """What was sent under names that mean nothing here: one of them may be meant; those that
        look like `wanted`, where any does."""
        return name_strangers(given, self._canonical, wanted)

    def point_out_strangers(self, problems: Problems, given: Mapping[str, Any]) -> None:
        """Adds to what is missing in `problems` what may have been meant for it."""
        for name, reason in problems.items():
            if reason == _MISSING:
                problems[name] += self.name_strangers(given, name)

    def name_as_written(self, problems: Problems, given: Mapping[str, Any]) -> Problems:
        """`problems` under the names that the sender used, where those were aliases."""
        written = {
            name: alias
            for alias, name in self._aliases.items()
            if given.get(name) in (None, "") and alias in given
        }
        return {written.get(name, name): reason for name, reason in problems.items()}


def name_strangers(given: Iterable[str], known: Container[str], wanted: str = "") -> str:
    """Of the names in `given` those that are not `known`, in the words of an error; only those that
    look like `wanted`, where any does."""
    unknown = (printable(name, _LONGEST_NAME) for name in given if name not in known)
    strangers = list(islice(unknown, _MOST_COMPARED))
    named = get_close_matches(wanted, strangers, _MOST_NAMED) or strangers[:_MOST_NAMED]
    return f"; you sent {', '.join(named)}" if named else ""
