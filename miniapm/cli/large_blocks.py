"""Memory of large bodies goes back to the system as soon as they are gone.

glibc puts blocks of up to 32 MiB on its heap once it has seen some freed; between them stay holes
that no other process gets. Under overload that was 25 MB of 200.
"""

import ctypes

LARGE_BYTES = 64 * 1024
_M_MMAP_THRESHOLD = -3


def give_back_large_blocks() -> None:
    """From now on each block of at least `LARGE_BYTES` is the system's again when it is freed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl and others have none, nor such a heap
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
