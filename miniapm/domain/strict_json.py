"""Reading JSON that strangers send: what is doubtful is refused, never guessed.

Duplicate keys, NaN, bad UTF-8 and endless nesting are Invalid; msgspec, which decodes everything
else here, takes the last of two duplicate keys without a word. Lone surrogates come through: the
fields that are kept refuse them.
"""

import json
import re
from typing import Any

from miniapm.exceptions import Invalid
from miniapm.printable import printable

MOST_VALUES = 400_000
"""Of a body: so many take up to 126 MB to decode, the most that 8 MiB can hold 1 GB."""


_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def _count_pieces(body: bytes | bytearray) -> int:
    return sum(map(body.count, (b",", b"[", b"{"))) if len(body) > MOST_VALUES else 0


class _DuplicateKey(ValueError):
    pass


class _NoNumber(ValueError):
    pass


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _DuplicateKey(name)
            seen.add(name)
    return decoded


def _refuse_constant(name: str) -> Any:
    raise _NoNumber(f"{name} is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)


def decode_object(body: bytes | bytearray, shape: str = "") -> dict[str, Any]:
    """The JSON object in `body`, or Invalid with a sentence that says where it stops being one;
    `shape` is an example, for who sends something else than an object."""
    # texts are full of commas, too, but taking them out first takes longer
    if _count_pieces(body) > MOST_VALUES and _count_pieces(_TEXT.sub(b"", body)) > MOST_VALUES:
        raise Invalid(f"The body is made of more than {MOST_VALUES:,} values; send it in parts.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    try:
        value = _DECODER.decode(text)
    except _DuplicateKey as error:
        name = printable(str(error))
        raise Invalid(f"The body gives {name!r} twice.", {name: "is given twice"}) from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise Invalid("The body is empty; it must be a JSON object.") from None
        where = f"line {error.lineno} column {error.colno}"
        raise Invalid(f"The body is not valid JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise Invalid("The body is nested too deeply.") from None
    except _NoNumber as error:
        raise Invalid(f"The body is not valid JSON: {error}.") from None
    except ValueError:
        # Python reads no integer of more than 4,300 digits
        raise Invalid("The body holds a number with too many digits.") from None
    if not isinstance(value, dict):
        example = f": {shape}" if shape else ""
        raise Invalid(f"The body must be a JSON object{example}.")
    return value
