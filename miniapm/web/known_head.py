"""The head of a connection's last request, for senders that send the same again and again.

Exporters differ from call to call in nothing but the Content-Length and the body. Bytes that the
parser has taken once it would take again, so they need only be compared.
"""

import re
from typing import NamedTuple

from starlette.types import Scope

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)(?=\r\n)", re.IGNORECASE)
_MOST_DIGITS = 8
_HEAD_END = b"\r\n\r\n"
# kept for each connection
_MOST_BYTES = 4096


class KnownHead(NamedTuple):
    """What stands before and behind the digits of the length, and the scope that it came to, whose
    own Content-Length is the first request's."""

    before: bytes
    behind: bytes
    scope: Scope

    def find_body(self, data: bytes) -> bytes | None:
        """The body, if `data` is this head with one whole body and nothing else."""
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        end = data.find(b"\r", start, start + _MOST_DIGITS + 1)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self.behind, end):
            return None
        body = end + len(self.behind)
        return data[body:] if len(data) - body == int(digits) else None


def learn_head(data: bytes, scope: Scope) -> KnownHead | None:
    """The head of `data`, which the parser took as one whole request that came to `scope`; None
    where it is long, or its length does not stand there plainly."""
    head_end = data.find(_HEAD_END) + len(_HEAD_END)
    lengths = list(_LENGTH.finditer(data, 0, head_end))
    if len(lengths) != 1 or head_end > _MOST_BYTES:
        return None
    start, end = lengths[0].span(1)
    known = KnownHead(data[:start], data[end:head_end], scope)
    return known if known.find_body(data) is not None else None
