"""How bodies are compressed: zstd, with a dictionary of what a project's bodies have in common.

A body of 16 spans takes 129 bytes a span without one and 57 with it, one of 512 takes 41 and 39.
"""

import sys
from collections.abc import Callable, Iterable, Sequence

if sys.version_info >= (3, 14):  # pragma: no cover
    from compression import zstd
else:
    from backports import zstd

Compress = Callable[[bytes], bytes]

PLAIN_LEVEL = 3
# with a dictionary, a level more gains little
DICTIONARY_LEVEL = 1
DICTIONARY_BYTES = 64 * 1024
PIECE_BYTES = 4096
FEWEST_SAMPLES = 64
MOST_SAMPLE_BYTES = 3 * 1024 * 1024


class Dictionary:
    """A trained dictionary; frames that need it carry its id."""

    __slots__ = ("_made", "content")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._made = zstd.ZstdDict(content)

    @property
    def id(self) -> int:
        """A number above 0, chosen at random by the training."""
        return self._made.dict_id

    def compress(self, body: bytes) -> bytes:
        digested = self._made.as_digested_dict
        return zstd.compress(body, DICTIONARY_LEVEL, zstd_dict=digested)

    def decompress(self, frame: bytes) -> bytes:
        return zstd.decompress(frame, zstd_dict=self._made)


def compress_plain(body: bytes) -> bytes:
    """As long as a project has no dictionary, and for what is too large to gain from one."""
    return zstd.compress(body, PLAIN_LEVEL)


def dictionary_of(frame: bytes) -> int:
    """The id of the dictionary that a compressed body needs; 0 for none."""
    return zstd.get_frame_info(frame).dictionary_id if frame else 0


def size_of(frame: bytes) -> int:
    """How many bytes a compressed body opens to, without opening it."""
    return zstd.get_frame_info(frame).decompressed_size or 0 if frame else 0


def decompress(frame: bytes, dictionary: Dictionary | None = None) -> bytes:
    """A compressed body as it came; `dictionary` is the one that it needs."""
    return zstd.decompress(frame) if dictionary is None else dictionary.decompress(frame)


def train_dictionary(bodies: Iterable[bytes]) -> Dictionary | None:
    """A dictionary out of bodies as they came; None when they are too few. Takes half a second."""
    samples = _sample(bodies)
    if len(samples) < FEWEST_SAMPLES:
        return None
    try:
        return Dictionary(zstd.train_dict(samples, DICTIONARY_BYTES).dict_content)
    except zstd.ZstdError:
        # too much alike, or too little: such bodies gain nothing from one
        return None


def _sample(bodies: Iterable[bytes]) -> Sequence[bytes]:
    """Pieces of the bodies: large samples teach less than many."""
    samples: list[bytes] = []
    size = 0
    for body in bodies:
        for start in range(0, len(body), PIECE_BYTES):
            samples.append(body[start : start + PIECE_BYTES])
        size += len(body)
        if size >= MOST_SAMPLE_BYTES:
            break
    return samples
