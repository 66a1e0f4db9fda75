"""One HTTP exchange under one deadline: name lookup, connecting, retries and reading included.

Standard library only. Redirects are never followed: the bearer key goes to the address that was
configured and nowhere else. The same request, with the same headers, is what every retry sends.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from itertools import chain, repeat
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from miniapm import clock
from miniapm.client.deadline import Deadline

_BODY_LIMIT = 8 * 2**20
_TRY_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Message:
    """What to send. `headers` may hold the key, so they stay out of the repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names are lower case. `is_cut`: the body is longer than the
    8 MiB that are read of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody answered; `passing` says whether trying again can help."""

    reason: str
    passing: bool


def exchange(message: Message, deadline: Deadline, *, retry: bool = True) -> Answer | NoAnswer:
    """Sends until somebody answers or the deadline passes; never raises for what the net does.

    The work is done in a daemon thread, because a name lookup takes no time-out and a server that
    sends a byte now and then renews every other one.
    """
    results: list[Answer | NoAnswer] = []
    worker = threading.Thread(
        target=lambda: results.append(_exchange(message, deadline, retry)), daemon=True
    )
    worker.start()
    worker.join(deadline.remaining())
    return results[0] if results else _timed_out(deadline)


def _exchange(message: Message, deadline: Deadline, retry: bool) -> Answer | NoAnswer:
    for delay in _delays():
        try:
            outcome = _try_once(message, deadline)
        except Exception as error:  # a traceback in a deploy's output would help nobody
            outcome = _explain(error, message.url, deadline)
        pause = _pause(outcome, delay)
        if not retry or pause is None or pause >= deadline.remaining():
            return outcome
        time.sleep(pause)
    raise AssertionError("the delays never end")


def _delays() -> Iterator[float]:
    return chain((0.25, 0.5, 1.0), repeat(2.0))


def _try_once(message: Message, deadline: Deadline) -> Answer | NoAnswer:
    # Less than all that is left, so that one address that swallows packets (IPv6 without a route)
    # leaves time for the next.
    timeout = max(0.7 * deadline.remaining(), 0.01)
    request = Request(message.url, data=message.body, method=message.method)  # noqa: S310 http(s) only
    for name, value in message.headers.items():
        request.add_unredirected_header(name, value)
    with _opener(message.url).open(request, timeout=timeout) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        # 202 has no body by contract; a proxy that keeps the connection open must not make us wait.
        body = b"" if response.status == 202 else response.read(_BODY_LIMIT + 1)
        is_cut = len(body) > _BODY_LIMIT
        return Answer(response.status, headers, body[:_BODY_LIMIT], is_cut)


def _opener(url: str) -> OpenerDirector:
    opener = OpenerDirector()
    # Neither error nor redirect handlers: every status comes back as it is.
    opener.add_handler(ProxyHandler({} if _is_loopback(url) else None))
    opener.add_handler(HTTPHandler())
    opener.add_handler(HTTPSHandler())
    return opener


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pause(outcome: Answer | NoAnswer, delay: float) -> float | None:
    """Seconds to wait before trying again, None when trying again cannot help."""
    if isinstance(outcome, NoAnswer):
        return delay if outcome.passing else None
    if outcome.status not in _TRY_AGAIN:
        return None
    return max(delay, _retry_after(outcome.headers.get("retry-after", "")))


def _retry_after(value: str) -> float:
    """Seconds from a `Retry-After` header, which holds seconds or a date; 0 for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - clock.now() / clock.SECOND)
    except (ValueError, OverflowError):
        return 0.0


def _explain(error: Exception, url: str, deadline: Deadline) -> NoAnswer:
    """Why nobody answered, in words that never repeat what was sent."""
    cause = error.reason if isinstance(error, URLError) else error
    place = urlsplit(url).netloc
    match cause:
        case TimeoutError():
            return _timed_out(deadline)
        case ConnectionRefusedError():
            return NoAnswer(f"{place} refuses connections", passing=True)
        case socket.gaierror():
            return NoAnswer(f"the name {place} has no address", cause.errno == socket.EAI_AGAIN)
        case ssl.SSLCertVerificationError():
            reason = f"the certificate of {place} is not trusted ({cause.verify_message})"
            return NoAnswer(reason, passing=False)
        case ssl.SSLError():
            return NoAnswer(f"{place} does not speak TLS with us ({cause.reason})", passing=False)
        case ConnectionError():
            return NoAnswer(f"{place} closed the connection", passing=True)
        case OSError():
            return NoAnswer(f"{place}: {cause.strerror or type(cause).__name__}", passing=True)
        case HTTPException():
            return NoAnswer(f"{place} does not speak HTTP ({type(cause).__name__})", passing=False)
        case _:
            return NoAnswer(f"{place}: {type(cause).__name__}", passing=False)


def _timed_out(deadline: Deadline) -> NoAnswer:
    return NoAnswer(f"no answer within {deadline.seconds:.3g} s", passing=True)
