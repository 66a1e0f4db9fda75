"""How bodies are compressed: zstd, with a dictionary of what a project's bodies have in common.

A body of 16 spans takes 129 bytes a span without one and 58 with it, one of 512 takes 41 and 39.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial

if sys.version_info >= (3, 14):  # pragma: no cover
    from compression import zstd
else:
    from backports import zstd

Compress = Callable[[bytes], bytes]

PLAIN_LEVEL = 3
# with a dictionary, while the sender waits: the next ones save a 14th, and it is packed soon after
QUICK_LEVEL = 1
# for what stays: a tenth smaller still, for six times the time
STORED_LEVEL = 6
SMALL_BYTES = 32 * 1024
DICTIONARY_BYTES = 64 * 1024
PIECE_BYTES = 4096
FEWEST_SAMPLES = 64
MOST_SAMPLE_BYTES = 3 * 1024 * 1024
HEADER_BYTES = 18
"""Of a frame, at most: they say which dictionary it needs."""


class _Compressors:
    """Compressors of one kind that are used again: a new one costs half as much as a small body.

    From any thread.
    """

    __slots__ = ("_free", "_make")

    def __init__(self, level: int, dictionary: zstd.ZstdDict | None = None) -> None:
        digested = None if dictionary is None else dictionary.as_digested_dict
        self._make = partial(zstd.ZstdCompressor, level, zstd_dict=digested)
        self._free: list[zstd.ZstdCompressor] = []

    def compress(self, body: bytes) -> bytes:
        try:
            compressor = self._free.pop()
        except IndexError:
            compressor = self._make()
        compressed = compressor.compress(body, zstd.ZstdCompressor.FLUSH_FRAME)
        self._free.append(compressor)
        return compressed


class Dictionary:
    """A trained dictionary; frames that need it carry its id."""

    __slots__ = ("_made", "_small", "_stored", "content")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._made = zstd.ZstdDict(content)
        self._small = _Compressors(QUICK_LEVEL, self._made)
        self._stored = _Compressors(STORED_LEVEL, self._made)

    @property
    def id(self) -> int:
        """A number above 0, chosen at random by the training."""
        return self._made.dict_id

    def compress(self, body: bytes) -> bytes:
        if len(body) <= SMALL_BYTES:
            return self._small.compress(body)
        return zstd.compress(body, QUICK_LEVEL, zstd_dict=self._made.as_digested_dict)

    def compress_well(self, body: bytes) -> bytes:
        if len(body) <= SMALL_BYTES:
            return self._stored.compress(body)
        # a compressor that is kept for large ones holds ten megabytes
        return zstd.compress(body, STORED_LEVEL, zstd_dict=self._made.as_digested_dict)

    def decompress(self, frame: bytes) -> bytes:
        return zstd.decompress(frame, zstd_dict=self._made)


def compress_plain(body: bytes) -> bytes:
    """As long as a project has no dictionary, and for what is too large to gain from one."""
    if len(body) > SMALL_BYTES:
        return zstd.compress(body, PLAIN_LEVEL)
    return _plain_compressors().compress(body)


def compress_well(body: bytes, dictionary: Dictionary | None = None) -> bytes:
    """Slower and smaller, once nobody waits for it."""
    if dictionary is None:
        return zstd.compress(body, STORED_LEVEL)
    return dictionary.compress_well(body)


@cache
def _plain_compressors() -> _Compressors:
    return _Compressors(PLAIN_LEVEL)


def dictionary_of(frame: bytes) -> int:
    """The id of the dictionary that a compressed body needs, of which the first HEADER_BYTES are
    enough; 0 for none, and what is no frame."""
    try:
        return zstd.get_frame_info(frame).dictionary_id
    except zstd.ZstdError:
        return 0


def size_of(frame: bytes) -> int:
    """How many bytes a compressed body opens to, without opening it; 0 for what is no frame."""
    try:
        return zstd.get_frame_info(frame).decompressed_size or 0
    except zstd.ZstdError:
        return 0


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
