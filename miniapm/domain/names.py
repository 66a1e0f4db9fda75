"""Names that people give, and those that somebody got slightly wrong."""

import unicodedata
from collections.abc import Iterable

from miniapm.exceptions import Invalid

MAX_NAME = 100


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
    import difflib  # slow to import, and rarely needed

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}" if near else ""
