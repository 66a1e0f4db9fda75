"""Text that others wrote, made fit to repeat in a message, a log or a terminal."""

import re

# C0, DEL, C1, and the marks that break lines or turn the direction of writing around
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNPAIRED = re.compile(r"[\ud800-\udfff]")


def escape_controls(text: str) -> str:
    """`text` on one line: what could move a cursor, end a line or hide text is shown as `\\n`,
    `\\x1b`, `\\u202e`; a lone surrogate likewise, so that it can be encoded.
    """
    return _UNPAIRED.sub(_escape, _CONTROLS.sub(_escape, text))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def printable(text: str, limit: int = 100) -> str:
    """`text` made safe to repeat in a message: no control characters, no surrogates, not long."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:limit])
    return shown + ("\N{HORIZONTAL ELLIPSIS}" if len(text) > limit else "")
