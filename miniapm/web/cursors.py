"""Cursors as clients see them: opaque text that names the last row of the page before."""

import base64
import struct

from miniapm.storage.deploys.find import Cursor

_FORM = struct.Struct(">qq")
_FOREIGN = "is no cursor of ours; take next_cursor from the page before"


def encode_cursor(cursor: Cursor) -> str:
    """Letters, digits, `-` and `_`: fit for an address as it is."""
    return base64.urlsafe_b64encode(_FORM.pack(*cursor)).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """What `encode_cursor` was given; ValueError for anything that it did not write."""
    try:
        cursor = Cursor(*_FORM.unpack(base64.urlsafe_b64decode(f"{text}==")))
    except (ValueError, struct.error):
        raise ValueError(_FOREIGN) from None
    # the same place has one spelling
    if encode_cursor(cursor) != text:
        raise ValueError(_FOREIGN)
    return cursor
