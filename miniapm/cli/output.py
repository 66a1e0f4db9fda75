"""Printing: results to stdout as a table or JSON, everything else to stderr.

Rows are mappings of the names that JSON has. Instants (`..._at`) and ids (`id`, `..._id`) may be
integers: they are written as RFC 3339 and as text.
"""

import shutil
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence

import msgspec

from miniapm.clock import to_rfc3339
from miniapm.printable import escape_controls

Fields = Mapping[str, object]

_GAP = "  "
_NARROWEST = 8


def print_rows(
    rows: Sequence[Fields],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    empty: str = "There is nothing to list.",
    may_cut: Collection[str] = (),
) -> None:
    """A list: as JSON every field, as a table the `columns` (field to heading).

    A terminal gets the fields that `may_cut` names as narrow as its width asks for; nothing else is
    ever cut. `empty` goes to stderr when there are no rows.
    """
    plain = [{name: _plain(name, value) for name, value in row.items()} for row in rows]
    if as_json:
        print_json(plain)
    elif plain:
        lines = [list(columns.values())]
        lines += [[_cell(row.get(name)) for name in columns] for row in plain]
        if may_cut and sys.stdout.isatty():
            lines = _fit(lines, [name in may_cut for name in columns])
        _print_aligned(lines)
    else:
        tell(empty)


def print_fields(fields: Fields, *, as_json: bool) -> None:
    """One thing: as JSON an object, else a line for each field."""
    plain = {name: _plain(name, value) for name, value in fields.items()}
    if as_json:
        print_json(plain)
    else:
        _print_aligned([[name, _cell(value)] for name, value in plain.items()])


def print_json(value: object) -> None:
    """`value` as indented JSON."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def tell(text: str) -> None:
    """What a person should know and a pipe should not get."""
    print(text, file=sys.stderr, flush=True)


def _plain(name: str, value: object) -> object:
    """The JSON value of a field."""
    if isinstance(value, int) and not isinstance(value, bool):
        if name.endswith("_at") or name == "timestamp":
            return to_rfc3339(value)
        if name == "id" or name.endswith("_id"):
            return str(value)
    return value


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(escape_controls(str(item)) for item in value) or "-"
    return escape_controls(str(value))


def _fit(lines: Sequence[Sequence[str]], may_cut: Sequence[bool]) -> list[list[str]]:
    """`lines` as wide as the terminal, if cutting the columns that `may_cut` can do that."""
    widths = _measure(lines)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - shutil.get_terminal_size().columns
    while excess > 0:
        widest = max((width, i) for i, width in enumerate(widths) if may_cut[i])
        if widest[0] <= _NARROWEST:
            break
        widths[widest[1]] -= 1
        excess -= 1
    return [[_cut(c, width) for c, width in zip(line, widths, strict=True)] for line in lines]


def _cut(cell: str, width: int) -> str:
    if _width(cell) <= width:
        return cell
    while _width(cell) >= width:
        cell = cell[:-1]
    return f"{cell}\N{HORIZONTAL ELLIPSIS}"


def _measure(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*lines, strict=True)]


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = _measure(lines)
    for line in lines:
        padded = (
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        )
        print(_GAP.join(padded).rstrip())


def _width(text: str) -> int:
    """How many columns of a terminal `text` takes: wide signs take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )
