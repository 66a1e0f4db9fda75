"""How much of an error is kept: long texts are cut with a mark, lists and nesting are bounded."""

import re
from collections.abc import Iterable
from typing import Any

CUT_MARK = " \N{HORIZONTAL ELLIPSIS} [cut]"
MAX_CLASS = 200
MAX_MESSAGE = 10_000
MAX_LINES = 400
MAX_LINE = 1_000
_MAX_TRACE = 80_000
_HALF = MAX_LINES // 2 * MAX_LINE
"""Characters of a text that are looked at, at its beginning and at its end."""

MAX_SOURCE_LINES = 20
_MAX_TEXT = 2_000
_MAX_NAME = 200
_MAX_ITEMS = 100
_MAX_DEPTH = 8
_MAX_CHARACTERS = 40_000

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_COLOURS = re.compile("\x1b\\[[0-9;]{0,20}m")


def cut(text: str, limit: int) -> str:
    """`text`, at most `limit` characters of it; what was cut is marked."""
    return text if len(text) <= limit else text[: limit - len(CUT_MARK)] + CUT_MARK


def drop_colours(text: str) -> str:
    """`text` without the marks that colour it on a terminal."""
    return _COLOURS.sub("", text) if "\x1b" in text else text


def clean(text: str, limit: int) -> str:
    """`text` cut to `limit`, with what cannot be shown replaced."""
    if len(text) <= limit and text.isprintable():
        return text
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", cut(drop_colours(text), limit))


def bound_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines of a stack trace, as a list or a text gives them: cleaned, the middle cut out of
    one that is endless."""
    split: list[str] = []
    dropped = 0
    for text in lines:
        if len(text) > 2 * _HALF:
            # lines of two characters would take twenty times the text
            dropped += text.count("\n", _HALF, len(text) - _HALF)
            text = f"{text[:_HALF]}\n{text[-_HALF:]}"
        split += text.splitlines() or [""]
    while split and not split[-1].strip():
        split.pop()
    if len(split) > MAX_LINES:
        half = MAX_LINES // 2
        left_out = len(split) - 2 * half + dropped
        mark = f"  \N{HORIZONTAL ELLIPSIS} [cut {left_out} lines]"
        split = [*split[:half], mark, *split[-half:]]
    is_huge = sum(map(len, split)) > _MAX_TRACE
    limit = _MAX_TRACE // MAX_LINES if is_huge else MAX_LINE
    return tuple(clean(line, limit) for line in split)


def bound_value(value: Any) -> Any:
    """Any JSON value made small: depth, lengths and the sum of all texts are bounded."""
    return _Bounder().bound(value, 0)


class _Bounder:
    def __init__(self) -> None:
        self._left = _MAX_CHARACTERS

    def bound(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._take(value, _MAX_TEXT)
        if isinstance(value, dict | list | tuple):
            if depth >= _MAX_DEPTH or self._left <= 0:
                return CUT_MARK.strip()
            return (
                self._bound_object(value, depth)
                if isinstance(value, dict)
                else self._bound_list(value, depth)
            )
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
            return self._take(str(value) if abs(value) < 10**40 else CUT_MARK.strip(), _MAX_TEXT)
        self._left -= 8
        return value

    def _bound_object(self, given: dict[str, Any], depth: int) -> dict[str, Any]:
        bounded: dict[str, Any] = {}
        for count, (name, value) in enumerate(given.items()):
            if count == _MAX_ITEMS or self._left <= 0:
                bounded[CUT_MARK.strip()] = f"{len(given) - count} more"
                break
            bounded[self._take(str(name), _MAX_NAME)] = self.bound(value, depth + 1)
        return bounded

    def _bound_list(self, given: Iterable[Any], depth: int) -> list[Any]:
        bounded: list[Any] = []
        items = list(given)
        for count, value in enumerate(items):
            if count == _MAX_ITEMS or self._left <= 0:
                bounded.append(f"{CUT_MARK.strip()} {len(items) - count} more")
                break
            bounded.append(self.bound(value, depth + 1))
        return bounded

    def _take(self, text: str, limit: int) -> str:
        kept = clean(text, max(min(limit, self._left), len(CUT_MARK)))
        self._left -= len(kept) + 4
        return kept
