"""What one connection may cost; `protocol.py` holds it to that."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProtocolLimits:
    """What one connection may cost before it is refused or cut."""

    header_bytes: int = 32 * 1024
    """Request line and headers together; also trailers, and what stands between two chunks."""
    header_count: int = 100
    header_seconds: float = 10.0
    """From the connection, or a later request's first byte, to the end of its headers."""
    body_seconds: float = 30.0
    """From the end of the headers to the end of the body, however it trickles."""
    unread_bytes: int = 16 * 1024 * 1024
    """Of a body that still arrives though it is answered; past it the connection is closed."""
    unread_chunk_count: int = 5_000
    """The same, in pieces below 256 bytes: each costs as much as one of many kilobytes."""
    small_chunk_count: int = 200_000
    """Such pieces in a body that is not answered yet."""
    pipeline_count: int = 100
    """Requests that may wait behind the one being answered; each costs more than its bytes."""
    write_seconds: float = 30.0
    """How long a client may take no byte of an answer that waits for it."""
    linger_seconds: float = 5.0
    """How long input is still thrown away after a refusal, so that the client can read it."""
    linger_bytes: int = 32 * 1024 * 1024
    drain_seconds: float = 2.0
    """How long a connection may go on after shutdown; below uvicorn's graceful timeout."""
