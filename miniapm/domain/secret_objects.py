"""Secrets in objects that tell a name and a value apart, written out as text, whole or cut short:
`{"key": "password", "value": {"stringValue": "x"}}`, `{'Name': 'Cookie', 'Value': 'x'}`."""

import re
from collections.abc import Callable

NAME_FIELDS = frozenset({"name", "key", "header"})
VALUE_FIELDS = frozenset({"value", "values"})

_QUOTED = r"""(\\++)(["']).*?(?:(?<!\\)\1\2|\Z) | "(?:[^"\\]|\\.)*+"? | '(?:[^'\\]|\\.)*+'?"""
_TOKEN = re.compile(rf"{_QUOTED} | \w++ | => | [\[{{\]}},:] | \\++", re.VERBOSE | re.DOTALL)
_BRACKET = re.compile(rf"{_QUOTED} | [\[{{\]}}] | \\++", re.VERBOSE | re.DOTALL)
_OPENING = re.compile(r"[\[{]")
_HAS_VALUE = re.compile(r"""\bvalues?\\{0,6}["']?\s*+(?::|=>)""", re.IGNORECASE)


class _Open:
    """A bracket that is not closed yet, and the field of it that is being read."""

    __slots__ = ("field", "has_name", "is_secret", "span", "start", "word")

    def __init__(self) -> None:
        self.field: str | None = None
        self.start = 0
        self.word: str | None = None
        self.has_name = False
        self.is_secret = False
        self.span: tuple[int, int] | None = None

    def begin_field(self, start: int) -> None:
        if self.field is None and self.word is not None:
            self.field, self.start, self.word = self.word.lower(), start, None

    def end_field(self, end: int, is_secret: Callable[[str], bool]) -> None:
        if self.field in NAME_FIELDS:
            self.has_name = True
            self.is_secret = self.is_secret or (self.word is not None and is_secret(self.word))
        elif self.field in VALUE_FIELDS:
            self.span = (self.start, end)
        self.field = self.word = None


def find_named_values(text: str, is_secret: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where the values stand whose objects name them as secret. In time linear to the text.

    Where the text ends within an object that has not told its name, its value counts as secret.
    """
    if _HAS_VALUE.search(text) is None:
        return []
    spans: list[tuple[int, int]] = []
    stack: list[_Open] = []
    at = 0
    # quotes count within brackets alone: prose has apostrophes
    while token := (_TOKEN if stack else _OPENING).search(text, at):
        at = token.end()
        mark = token[0]
        if mark in ("{", "["):
            stack.append(_Open())
        elif mark in (":", "=>"):
            stack[-1].begin_field(at)
        elif mark in (",", "}", "]"):
            stack[-1].end_field(token.start(), is_secret)
            if mark != ",":
                closed = stack.pop()
                if closed.is_secret and closed.span is not None:
                    spans.append(closed.span)
        else:
            stack[-1].word = mark.strip("\\\"'") or stack[-1].word
    for unclosed in stack:
        unclosed.end_field(len(text), is_secret)
        if unclosed.span is not None and (unclosed.is_secret or not unclosed.has_name):
            spans.append(unclosed.span)
    return spans


def find_end(text: str, start: int) -> int:
    """Where the list or object ends that begins at `start`; the end of a text that is cut."""
    depth = 0
    for bracket in _BRACKET.finditer(text, start):
        if bracket[0] in ("[", "{"):
            depth += 1
        elif bracket[0] in ("]", "}"):
            depth -= 1
            if depth == 0:
                return bracket.end()
    return len(text)
