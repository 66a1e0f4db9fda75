"""What is wrong with a payload, in words: msgspec's findings as the rest of our sentences."""

import re
from collections.abc import Mapping

import msgspec

_STATUSES = "started, succeeded, failed or cancelled"
_TYPES = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_WRONG_TYPE = re.compile(r"Expected `([a-z| ]+)`, got `([a-z]+)`")
_WRONG_LENGTH = re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)")
_WRONG_RANGE = re.compile(r"Expected `(?:int|float)` (>=|>|<=|<) ([\d.]+?)(?:\.0)?")
_RANGES = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def explain(error: msgspec.ValidationError) -> str:
    """msgspec's words as the rest of a sentence that begins with the field's name."""
    text, _, path = str(error).partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    reason = _explain_reason(text)
    return f"{where} {reason}" if where else reason


def _explain_reason(text: str) -> str:
    if match := _WRONG_TYPE.fullmatch(text):
        wanted = sorted({_TYPES[t] for t in match[1].split(" | ") if t != "null"}, reverse=True)
        return f"must be {' or '.join(wanted)}, not {_TYPES[match[2]]}"
    if match := _WRONG_LENGTH.fullmatch(text):
        unit = "characters" if match[1] == "str" else "entries"
        if match[2] == ">=":
            return "must not be blank"
        return f"must be at most {match[3]} {unit} long"
    if match := _WRONG_RANGE.fullmatch(text):
        return f"must be {_RANGES[match[1]]} {match[2]}"
    if match := _MISSING.fullmatch(text):
        return f"lacks {match[1]}"
    if text.startswith("Invalid enum value"):
        return f"must be {_STATUSES}"
    return text.replace("`", "").replace("Expected", "must be")


def summarise(problems: Mapping[str, str]) -> str:
    """One sentence about the first problem that names the others."""
    first, *rest = problems.items()
    sentence = f"{first[0]} {first[1]}"
    if rest:
        others = ", ".join(name for name, _ in rest[:5]) + (" ..." if len(rest) > 5 else "")
        return f"{sentence}; also look at {others}."
    return f"{sentence}."
