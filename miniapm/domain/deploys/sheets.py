"""CSV files of deploys: a header row with the names of the fields, then a row for each deploy.

Cells that a spreadsheet would take for a formula are written with an apostrophe before them, and
lose it again when they are read: what a sender wrote runs on nobody's desk.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from miniapm.domain.deploys.exported import MARK
from miniapm.domain.deploys.given_lines import LeftOut, too_long
from miniapm.domain.deploys.payload import ALIASES
from miniapm.exceptions import Invalid

Fields = Mapping[str, Any]

DELIMITERS = (",", ";", "\t")
COLUMNS = (
    MARK,
    "id",
    "external_id",
    "project",
    "service",
    "env",
    "git_sha",
    "version",
    "deployer",
    "title",
    "description",
    "tags",
    "url",
    "repository",
    "status",
    "timestamp",
    "started_at",
    "recorded_at",
    "sources",
    "hidden_at",
    "overruled",
    "is_left_out",
)
_KNOWN = {"", "commits", *COLUMNS, *ALIASES}
_MOST_NAMED = 5
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
# bytes that are no UTF-8 become U+DC80 to U+DCFF: this one stands for a line that was too long
_TOO_LONG = "\udc00"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def to_cells(fields: Fields) -> list[str]:
    """A row of `COLUMNS` for what `exported.to_exported` makes."""
    return [_to_cell(fields.get(name)) for name in COLUMNS]


def _to_cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "true"
    text = ",".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def parse_sheet(lines: Iterable[bytes | None]) -> Iterator[tuple[int, Fields | Invalid | LeftOut]]:
    """The number of its first line and the fields, row by row; of the header the columns that are
    no fields. Invalid when it is none."""
    texts = (_to_text(line, first=i == 0) for i, line in enumerate(lines))
    header: list[str] | None = None
    rows: Iterator[tuple[int, list[str] | Invalid]] = iter(())
    number = 0
    for number, text in enumerate(texts, 1):
        if text.strip():
            delimiter = max(DELIMITERS, key=text.count)
            header = _read_header(text, delimiter)
            rows = _read_rows(texts, delimiter, number)
            if strangers := [name for name in header if name not in _KNOWN]:
                yield number, LeftOut(_tell_strangers(strangers))
            break
    for number, cells in rows:
        assert header is not None
        yield number, cells if isinstance(cells, Invalid) else _to_fields(header, cells)


def _to_text(line: bytes | None, *, first: bool) -> str:
    if line is None:
        return _TOO_LONG
    return line.decode("utf-8-sig" if first else "utf-8", "surrogateescape")


def _read_header(text: str, delimiter: str) -> list[str]:
    try:
        names = [
            n.strip().lower() for n in next(csv.reader([text], delimiter=delimiter, strict=True))
        ]
    except csv.Error as error:
        raise Invalid(f"The header row cannot be read: {error}.") from None
    if "git_sha" not in names:
        raise Invalid("The first row must name the columns, and one of them must be git_sha.")
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise Invalid(f"The header row names {twice!r} twice.")
    return names


def _tell_strangers(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    if len(names) == 1:
        return f"the column {shown} is no field of a deploy"
    return f"the columns {shown}{more} are no fields of a deploy"


def _read_rows(
    texts: Iterator[str], delimiter: str, before: int
) -> Iterator[tuple[int, list[str] | Invalid]]:
    # the reader keeps the line breaks inside quotes only when the lines still have theirs
    reader = csv.reader((f"{text}\n" for text in texts), delimiter=delimiter, strict=True)
    while True:
        number = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, Invalid(_explain(error, before + reader.line_num - number))
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _explain(error: csv.Error, more_lines: int) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        text = "a quotation mark that is opened here is never closed"
    elif "field limit" in text:
        text = "a value is longer than 128 KiB, or its quotation mark is never closed"
    span = f"; the {more_lines} lines after it were read as part of it" if more_lines > 0 else ""
    return f"The row cannot be read: {text}{span}."


def _to_fields(header: list[str], cells: list[str]) -> Fields | Invalid:
    if any(_TOO_LONG in cell for cell in cells):
        return too_long()
    if any(_NOT_UTF8.search(cell) for cell in cells):
        return Invalid("The row is not UTF-8; save the file as UTF-8.")
    if len(cells) != len(header):
        return Invalid(f"The row has {len(cells)} values for {len(header)} columns.")
    fields = dict(zip(header, cells, strict=True))
    fields.pop("", None)
    if MARK not in fields:
        return fields
    return {name: _from_cell(cell) for name, cell in fields.items()}


def _from_cell(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell
