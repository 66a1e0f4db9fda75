"""Names that people give, and those that somebody got slightly wrong."""

import unicodedata
from collections.abc import Iterable

from miniapm.exceptions import Invalid

MAX_NAME = 100
MOST_GUESSES = 10
"""How many wrong names of one call get a `suggest`: each takes up to 0.1 ms."""


def clean_name(name: str, thing: str, field: str = "name") -> str:
    """`name` trimmed; Invalid unless it is 1 to 100 printable characters.

    `thing` says in the error what is named, `field` where it stood.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not name:
        raise Invalid(f"The name of a {thing} is missing.", {field: "is missing"})
    if len(name) > MAX_NAME or not name.isprintable():
        wrong = f"must be at most {MAX_NAME} printable characters"
        raise Invalid(f"The name of a {thing} {wrong}.", {field: wrong})
    return name


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X` for the name in `known` that is nearest to `name`, else nothing."""
    near = find_nearest(name, known, cutoff=0.6)
    return f"; did you mean {near}" if near else ""


def find_nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The name in `known` that is nearest to `name`; `cutoff` 1 takes only `name` itself."""
    import difflib  # slow to import, and rarely needed

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)
