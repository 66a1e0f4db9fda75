"""Masking secrets: what stands under a name such as `password` is replaced before it is kept or
shown."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

MASK = "[masked]"
BUILT_IN_NAMES = (
    "api_key",
    "authorization",
    "card",
    "cookie",
    "credential",
    "csrf",
    "cvv",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "secret",
    "session_id",
    "token",
)
# words that hold a secret name and none of its meaning, as `_normalise` writes them
_HARMLESS = re.compile(
    r"discard|wildcard|scorecard|cardinal|(?:input|output|prompt|completion|total|max)tokens"
)
_CLASS_ENDINGS = ("Error", "Exception", "Warning")
_MOST_NESTED = 64

# a name and what stands between it and its value: `a=`, `"a": `, `\"a\":`, `:a => `
_PAIR = re.compile(r"""(?<![\w.\-\[\]])([\w.\-\[\]]++)(?:\\{0,3}["'])?\s{0,3}(=>|[:=])\s{0,3}""")
_VALUE = re.compile(
    r""" \\+(["']).*?(?:(?<!\\)\\++\1|$)                  # quoted within a quoted text
       | "(?:[^"\\]|\\.)*+"? | '(?:[^'\\]|\\.)*+'?
       | (?:(?i:basic|bearer|digest|token)\s++)? [^\s"'&,;)\]}<>]++ """,
    re.VERBOSE | re.DOTALL,
)
_LITERAL = re.compile(r"""[a-zA-Z]{0,2}("(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?)""")
_REST_OF_LINE = re.compile(r"[^\r\n]*+")
_USER_IN_ADDRESS = re.compile(r"""(://)[^/\s"'@?#]++@""")
_BEARER = re.compile(r"\b((?i:bearer|basic)\s+)[\w.~+/=-]{16,}+")
_OUR_KEY = re.compile(r"\bproj_\w+")

_Finder = Callable[[str, re.Match[str]], re.Match[str] | None]


class Scrubber:
    """Masks by name: without case, as part of a name, `-` and `_` the same or absent."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        """`names` are masked besides the built-in ones."""
        parts = {_normalise(name) for name in (*BUILT_IN_NAMES, *names)} - {""}
        self._names = re.compile("|".join(re.escape(part) for part in sorted(parts)))
        self.is_secret = lru_cache(maxsize=4096)(self._is_secret)

    def _is_secret(self, name: str) -> bool:
        """Whether what stands under `name` is masked."""
        return self._names.search(_HARMLESS.sub("", _normalise(name))) is not None

    def scrub(self, value: Any) -> Any:
        """`value`, as JSON decodes it, with secrets masked wherever they are nested."""
        return self._scrub(value, 0)

    def scrub_text(self, text: str) -> str:
        """Text with the values of pairs masked: `password=x`, `Authorization: y`, `?token=z`,
        `{"secret": "s"}`; also who signs in within an address, and the keys of this server."""
        return _mask_shapes(self._mask_pairs(text, _find_value))

    def scrub_source(self, line: str) -> str:
        """A line of source: only what is written out in it is masked, `token = f()` is not."""
        return _mask_shapes(self._mask_pairs(line, _find_literal))

    def scrub_place(self, line: str) -> str:
        """A frame of a stack trace: its address is masked, `token.rb:12` is not."""
        return _mask_shapes(self._mask_pairs(line, _find_parameter))

    def _scrub(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.scrub_text(value)
        if depth > _MOST_NESTED:
            return MASK
        if isinstance(value, dict):
            return self._scrub_object(value, depth)
        if isinstance(value, list | tuple):
            if len(value) == 2 and isinstance(value[0], str) and self.is_secret(value[0]):
                return [value[0], _mask(value[1])]
            return [self._scrub(item, depth + 1) for item in value]
        return value

    def _scrub_object(self, given: dict[str, Any], depth: int) -> dict[str, Any]:
        scrubbed = {
            name: _mask(value) if self.is_secret(name) else self._scrub(value, depth + 1)
            for name, value in given.items()
        }
        # headers as some clients list them: {"name": "Cookie", "value": "..."}
        named = given.get("name", given.get("key"))
        if "value" in given and isinstance(named, str) and self.is_secret(named):
            scrubbed["value"] = _mask(given["value"])
        return scrubbed

    def _mask_pairs(self, text: str, find_value: _Finder) -> str:
        pieces: list[str] = []
        end = 0
        for pair in _PAIR.finditer(text):
            if pair.start() < end or not self.is_secret(pair[1]):
                continue
            # `CardError: declined` is what happened, and no card
            if pair[2] == ":" and pair[1].endswith(_CLASS_ENDINGS):
                continue
            value = find_value(text, pair)
            if value is not None and value.end() > value.start():
                pieces += [text[end : value.start()], MASK]
                end = value.end()
        return "".join([*pieces, text[end:]]) if pieces else text


@cache
def make_scrubber(names: str = "") -> Scrubber:
    """The scrubber of the setting `privacy.scrub`: names divided by commas."""
    return Scrubber(tuple(part.strip() for part in names.split(",")))


def _normalise(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def _mask(value: Any) -> Any:
    return value if value is None or value == "" or isinstance(value, bool) else MASK


def _find_literal(text: str, pair: re.Match[str]) -> re.Match[str] | None:
    return _LITERAL.match(text, pair.end())


def _find_parameter(text: str, pair: re.Match[str]) -> re.Match[str] | None:
    return _VALUE.match(text, pair.end()) if pair[2] == "=" else None


def _find_value(text: str, pair: re.Match[str]) -> re.Match[str] | None:
    at = pair.end()
    is_header = pair[2] == ":" and pair[1].lower().endswith(("cookie", "authorization"))
    if is_header and text[at : at + 1] not in ("", '"', "'", "\\"):
        return _REST_OF_LINE.match(text, at)
    return _VALUE.match(text, at)


def _mask_shapes(text: str) -> str:
    if "://" in text:
        text = _USER_IN_ADDRESS.sub(rf"\1{MASK}@", text)
    if "proj_" in text:
        text = _OUR_KEY.sub(MASK, text)
    return _BEARER.sub(rf"\1{MASK}", text)
