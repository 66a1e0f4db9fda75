"""What makes two errors the same: their class and the first frames of the application's own code.

Line numbers do not count, and what changes from one run to the next (ids, numbers, addresses) is
folded away. Without a frame, the folded message stands in for them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from miniapm.domain.errors.frames import Frame, find_frames

FRAMES_COUNTED = 3
FINGERPRINT_BYTES = 8
_LONGEST_MESSAGE = 500
_VARYING = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|0x[0-9a-fA-F]+"
    r"|(?<![0-9a-zA-Z])(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{7,}(?![0-9a-zA-Z])"
    r"|\d+"
)
_ORIGIN = re.compile(r"^(?:file|https?|webpack[\w-]*)://[^/]*/?")


class Identity(NamedTuple):
    """What tells an error: its `fingerprint`, and the `culprit`, a place that people know."""

    fingerprint: str
    culprit: str


def identify(exception_class: str, message: str, backtrace: tuple[str, ...]) -> Identity:
    """The fingerprint, 16 hex characters, and the culprit, "" where there is no frame."""
    if backtrace:
        found = _identify_by_frames(exception_class, backtrace)
        if found is not None:
            return found
    folded = fold(message.partition("\n")[0][:_LONGEST_MESSAGE])
    return Identity(_hash((short_class(exception_class), folded)), "")


# a storm sends one stack trace again and again; a few megabytes at most
@lru_cache(maxsize=64)
def _identify_by_frames(exception_class: str, backtrace: tuple[str, ...]) -> Identity | None:
    frames = find_frames(backtrace)
    if not frames:
        return None
    own = [frame for frame in frames if frame.is_own]
    counted = (own or frames)[:FRAMES_COUNTED]
    parts = [short_class(exception_class), *(_describe(frame) for frame in counted)]
    return Identity(_hash(parts), counted[0].place)


def short_class(exception_class: str) -> str:
    """The class without its module, which log records leave out and span events tell."""
    return exception_class.rpartition(".")[2] or exception_class


def fold(text: str) -> str:
    """`text` with uuids, hex numbers and digits made the same."""
    return _VARYING.sub("#", text)


def _describe(frame: Frame) -> str:
    file = _ORIGIN.sub("", frame.file.partition("?")[0])
    return fold(f"{file}|{frame.function}")


def _hash(parts: Sequence[str]) -> str:
    text = "\x00".join(parts).encode("utf-8", "replace")
    return blake2b(text, digest_size=FINGERPRINT_BYTES).hexdigest()
