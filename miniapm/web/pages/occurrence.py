"""One occurrence of an error as its page shows it: the stack trace, the source, what came along."""

from dataclasses import dataclass
from typing import Any

import msgspec

from miniapm.domain.errors.frames import find_own_lines
from miniapm.domain.errors.values import Occurrence, SourceContext
from miniapm.storage.errors.occurrences import Kept


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A line of a stack trace."""

    text: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source around the place where it happened."""

    number: int
    text: str
    is_it: bool


@dataclass(frozen=True, slots=True)
class ShownOccurrence:
    """The occurrence on the page; `older` and `newer` are ids, None at the ends."""

    id: int
    place: int
    of: int
    occurrence: Occurrence
    backtrace: tuple[TraceLine, ...]
    source: tuple[SourceLine, ...]
    params: tuple[tuple[str, str], ...]
    context: tuple[tuple[str, str], ...]
    older: int | None
    newer: int | None


def tell_occurrence(kept: Kept, ids: list[int]) -> ShownOccurrence:
    """`ids` are of all that are kept of the error, the oldest first."""
    occurrence = kept.occurrence
    own = find_own_lines(occurrence.backtrace)
    place = ids.index(kept.id)
    return ShownOccurrence(
        id=kept.id,
        place=place + 1,
        of=len(ids),
        occurrence=occurrence,
        backtrace=tuple(
            TraceLine(line, number in own) for number, line in enumerate(occurrence.backtrace)
        ),
        source=_number_source(occurrence.source_context),
        params=_to_pairs(occurrence.params),
        context=_to_pairs(occurrence.context),
        older=ids[place - 1] if place else None,
        newer=ids[place + 1] if place + 1 < len(ids) else None,
    )


def _number_source(source: SourceContext | None) -> tuple[SourceLine, ...]:
    if source is None or not source.context_line:
        return ()
    lines = (*source.pre_context, source.context_line, *source.post_context)
    first = source.lineno - len(source.pre_context)
    it = len(source.pre_context)
    return tuple(SourceLine(first + n, text, n == it) for n, text in enumerate(lines))


def _to_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """What stands under each name, as text; what is no object has no name."""
    if value is None or value in ({}, [], ""):
        return ()
    if isinstance(value, dict):
        return tuple((name, _to_text(part)) for name, part in value.items())
    return (("", _to_text(value)),)


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
