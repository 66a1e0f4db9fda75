"""The JSON objects of a file, however they stand in it: a line each, in a list, in list after list
as pages are written behind one another, or in a list of lists."""

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

from miniapm.exceptions import Invalid

# what stands between objects says nothing that matters here
_BETWEEN = " \t\r\n,[]\ufeff"
_LONGEST = 16 * 1024 * 1024
_DECODER = json.JSONDecoder()
# an error so near the end may be that something is still to come
_NEAR_END = 8


def read_objects(pieces: Iterable[bytes]) -> Iterator[dict[str, Any] | Invalid]:
    """Each object of the file that `pieces` make together; where one cannot be read, why not, and
    nothing of what follows it."""
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    rest = problem = ""
    for piece in pieces:
        found, rest, problem = _take_objects(rest + decode(piece))
        yield from found
        if len(rest) > _LONGEST:
            problem = "an object is longer than 16 MiB"
        if problem:
            break
    if rest and not problem:
        problem = f"the file ends within the object that begins with {rest[:40]!r}"
    if problem:
        yield Invalid(f"The JSON cannot be read: {problem}; what follows is left out.")


def _take_objects(text: str) -> tuple[list[dict[str, Any]], str, str]:
    """The whole objects at the beginning, the rest, and what no more of it can mend."""
    found: list[dict[str, Any]] = []
    position, end = 0, len(text)
    while True:
        while position < end and text[position] in _BETWEEN:
            position += 1
        if position == end:
            return found, "", ""
        if text[position] != "{":
            return found, "", f"no object begins with {text[position : position + 40]!r}"
        try:
            value, position = _DECODER.raw_decode(text, position)
        except json.JSONDecodeError as error:
            problem = ""
            if error.pos < end - _NEAR_END and not error.msg.startswith("Unterminated"):
                problem = f"{error.msg} at {text[error.pos : error.pos + 40]!r}"
            return found, text[position:], problem
        except (ValueError, RecursionError):
            return found, "", f"too much stands in {text[position : position + 40]!r}"
        found.append(value)
