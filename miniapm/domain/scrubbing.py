"""Masking secrets: what stands under a name such as `password` is replaced before it is kept or
shown."""

import re
from functools import cache, lru_cache
from typing import Any

from miniapm.domain.secret_names import SecretNames
from miniapm.domain.secret_objects import NAME_FIELDS, VALUE_FIELDS
from miniapm.domain.secret_texts import (
    MASK,
    SIGN_IN_FLAGS,
    find_literal,
    find_parameter,
    find_value,
    mask_named,
    mask_pairs,
    mask_shapes,
)

__all__ = ["MASK", "Scrubber", "make_scrubber"]

_MOST_NESTED = 64
_LONGEST_REMEMBERED = 200
_FLAG = re.compile(r"--?[a-zA-Z][\w.-]++")
_HEADER = re.compile(r"[\w-]*(?:cookie|authorization)", re.IGNORECASE)
_ENDS_WITH_NAME = re.compile(r"[\w.\-\[\] ]*+")


class Scrubber:
    """Masks by name, see SecretNames, in values and in texts."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        """`names` are masked besides the built-in ones."""
        self.is_secret = SecretNames(names).is_secret
        # names of attributes, browsers and hosts come with every error
        self._remembered = lru_cache(maxsize=2048)(self._mask_text)

    def scrub(self, value: Any) -> Any:
        """`value`, as JSON decodes it, with secrets masked wherever they are nested."""
        return self._scrub(value, 0)

    def scrub_text(self, text: str) -> str:
        """Text with the values of pairs masked: `password=x`, `Authorization: y`, `?token=z`,
        `{"secret": "s"}`; also who signs in within an address, and the keys of this server."""
        is_short = len(text) <= _LONGEST_REMEMBERED
        return self._remembered(text) if is_short else self._mask_text(text)

    def _mask_text(self, text: str) -> str:
        named = mask_named(text, self.is_secret)
        return mask_shapes(mask_pairs(named, self.is_secret, find_value))

    def scrub_source(self, line: str) -> str:
        """A line of source: only what is written out in it is masked, `token = f()` is not."""
        return mask_shapes(mask_pairs(line, self.is_secret, find_literal))

    def scrub_place(self, line: str) -> str:
        """A frame of a stack trace: its address is masked, `token.rb:12` is not."""
        return mask_shapes(mask_pairs(line, self.is_secret, find_parameter))

    def _scrub(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.scrub_text(value)
        if depth > _MOST_NESTED:
            return MASK
        if isinstance(value, dict):
            return self._scrub_object(value, depth)
        if isinstance(value, list | tuple):
            return self._scrub_list(value, depth)
        return value

    def _scrub_list(self, given: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        scrubbed: list[Any] = []
        is_named = False
        for index, item in enumerate(given):
            if is_named:
                scrubbed.append(_mask(item))
                is_named = False
                continue
            scrubbed.append(self._scrub(item, depth + 1))
            is_named = isinstance(item, str) and self._names_the_next(item, index)
            before = given[index - 1] if index else None
            if isinstance(item, str) and isinstance(before, str) and before in SIGN_IN_FLAGS:
                scrubbed[-1] = mask_shapes(f"{before} {scrubbed[-1]}")[len(before) + 1 :]
        return scrubbed

    def _names_the_next(self, item: str, index: int) -> bool:
        """Whether an item of a list tells what the next one is: in the arguments of a process, and
        in headers as a flat list of names and values."""
        if _FLAG.fullmatch(item) is None and index % 2 and _HEADER.fullmatch(item) is None:
            return False
        return _ENDS_WITH_NAME.fullmatch(item) is not None and self.is_secret(item)

    def _scrub_object(self, given: dict[str, Any], depth: int) -> dict[str, Any]:
        # headers as some clients list them: {"name": "Cookie", "value": "..."}
        is_named = any(
            isinstance(value, str) and str(name).lower() in NAME_FIELDS and self.is_secret(value)
            for name, value in given.items()
        )
        return {
            self._scrub_name(name): _mask(value)
            if self.is_secret(name) or (is_named and name.lower() in VALUE_FIELDS)
            else self._scrub(value, depth + 1)
            for name, value in given.items()
        }

    def _scrub_name(self, name: str) -> str:
        """A name may hold a secret itself, where a form is read as what it is not."""
        is_plain = name.isidentifier() and "proj_" not in name
        return name if is_plain else self.scrub_text(name)


@cache
def make_scrubber(names: str = "") -> Scrubber:
    """The scrubber of the setting `privacy.scrub`: names divided by commas."""
    return Scrubber(tuple(part.strip() for part in names.split(",")))


def _mask(value: Any) -> Any:
    return value if value is None or value == "" or isinstance(value, bool) else MASK
