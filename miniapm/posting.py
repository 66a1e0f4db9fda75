"""Posts a message to an address that a user chose, and to nothing else.

The name is looked up once, every address that it has is checked, and the connection goes to one of
those very addresses: a name that changes its mind meanwhile changes nothing. No redirect is
followed, no proxy of the environment asked, and of the answer only the head is read.
"""

import asyncio
import email
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from email.message import Message
from functools import cache, partial

from miniapm.domain.webhooks.attempts import Answered, Outcome, Unreached, parse_retry_after
from miniapm.domain.webhooks.targets import Target, explain_refusal

SECONDS = 10.0
_CONNECT_SECONDS = 4.0
_LARGEST_HEAD = 16 * 1024
_MOST_ADDRESSES = 4
_MOST_INTERIM = 5
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")


class _Refused(Exception):
    """What was found at the other end is not to be used; says why."""


async def post(
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    now: int,
    *,
    allow_private: bool = False,
    seconds: float = SECONDS,
    trust: ssl.SSLContext | None = None,
) -> Outcome:
    """Posts once, within `seconds`; never raises for what the net does. `now` is for a date in
    `Retry-After`; `trust` replaces the system's certificates."""
    try:
        async with asyncio.timeout(seconds):
            addresses = await _resolve(target, allow_private)
            reader, writer = await _connect(target, addresses, trust)
            try:
                writer.write(_write_request(target, headers, body))
                await writer.drain()
                return await _read_answer(reader, now)
            finally:
                writer.transport.abort()
    except Exception as error:
        return Unreached(_explain(error, target, seconds))


def make_post(
    *, allow_private: bool
) -> Callable[[Target, Mapping[str, str], bytes, int], Awaitable[Outcome]]:
    """`post` by the setting `webhooks.allow_private`."""
    return partial(post, allow_private=allow_private)


async def _resolve(target: Target, allow_private: bool) -> list[str]:
    """The addresses of the target, all of which may be reached."""
    found = await asyncio.get_running_loop().getaddrinfo(
        target.host, target.port, type=socket.SOCK_STREAM
    )
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        refusal = explain_refusal(address, allow_private=allow_private)
        if refusal:
            raise _Refused(f"{target.host} {refusal}")
    return addresses[:_MOST_ADDRESSES]


async def _connect(
    target: Target, addresses: list[str], trust: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that takes one."""
    is_https = target.scheme == "https"
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(
                    address,
                    target.port,
                    limit=_LARGEST_HEAD,
                    ssl=(trust or _trust()) if is_https else None,
                    server_hostname=target.host if is_https else None,
                )
        except OSError as error:
            failure = error
    raise failure


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificates; reading them takes some milliseconds."""
    return ssl.create_default_context()


def _write_request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"host: {target.authority}",
        "user-agent: miniapm",
        "accept: */*",
        "connection: close",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _read_answer(reader: asyncio.StreamReader, now: int) -> Answered:
    for _ in range(_MOST_INTERIM):
        head = await reader.readuntil(b"\r\n\r\n")
        line = _STATUS_LINE.match(head)
        if line is None:
            break
        status = int(line[1])
        if status >= 200:
            fields: Message = email.message_from_bytes(head[line.end() :])
            return Answered(status, parse_retry_after(str(fields.get("retry-after", "")), now))
    raise _Refused("it does not speak HTTP")


def _explain(error: Exception, target: Target, seconds: float) -> str:
    """Why nobody answered, without what the other end has written."""
    match error:
        case _Refused():
            return str(error)
        case TimeoutError():
            return f"no answer within {seconds:g} s"
        case socket.gaierror() | UnicodeError():
            return f"the name {target.host} has no address"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {target.host} is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"{target.host} does not speak TLS with us"
        case asyncio.LimitOverrunError():
            return "the head of the answer is too long"
        case asyncio.IncompleteReadError() | ConnectionResetError() | BrokenPipeError():
            return "the connection was closed before an answer"
        case ConnectionRefusedError():
            return f"{target.authority} refuses connections"
        case OSError():
            return f"{target.authority} cannot be reached ({type(error).__name__})"
        case _:
            return f"it failed ({type(error).__name__})"
