"""Calls of senders where nothing takes them: which address is meant, and keeping that they came.

What an SDK prints of an answer is often its status alone: who looks here must find the rest.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches

from starlette.types import Scope

from miniapm.domain.keys import SCOPES
from miniapm.exceptions import MiniapmError, NotFound
from miniapm.printable import printable
from miniapm.web.addresses import write_base_url
from miniapm.web.context import Context
from miniapm.web.ingest.calls import Answer, Call, ErrorAnswer, RequestHeaders, answer_error
from miniapm.web.ingest.deploys import explain_as_json
from miniapm.web.ingest.otlp import explain_as_status, is_json, is_protobuf

_NOTHING = "There is nothing at this address"
_SIGNAL = re.compile(r"/(trace|span|log|metric)s?$")
_SIGNALS = {"trace": "traces", "span": "traces", "log": "logs", "metric": "metrics"}
_OTLP_END = re.compile(r"/v1/[^/]*$")
_EXPORT = re.compile(rb'"resource_?(span|log|metric)s"\s*:', re.IGNORECASE)
_LONGEST_PATH = 200
_READ_ONLY = ("GET", "HEAD")
_LIKE_ENOUGH = 0.7


def is_sender(method: str, headers: RequestHeaders) -> bool:
    """Whether a program calls, to which a page says nothing; a person's browser asks for HTML."""
    if is_json(headers) or is_protobuf(headers):
        return True
    credentials = headers.get(b"authorization", b"").strip().lower()
    if credentials.startswith(b"bearer "):
        return True
    wants_page = b"text/html" in headers.get(b"accept", b"").lower()
    return not wants_page and (bool(credentials) or method not in _READ_ONLY)


def find_signal(body: bytes) -> str | None:
    """What an export request in JSON holds: traces, logs or metrics; None where it is none."""
    found = _EXPORT.search(body)
    return _SIGNALS[found[1].decode().lower()] if found else None


def explain_otlp(signal: str | None, headers: RequestHeaders, scheme: str, context: Context) -> str:
    """Where telemetry goes; `signal` is None where nobody can tell which it is."""
    kind = signal or "traces"
    base = write_base_url(headers.get(b"host", b"").decode("latin-1"), scheme, context)
    path = f"/v1/{kind}"
    others = "" if signal else " Logs go to /v1/logs."
    return (
        f"{kind.capitalize()} go to {path}: give the SDK {base} (OTEL_EXPORTER_OTLP_ENDPOINT) "
        f"without it, or {base}{path} (OTEL_EXPORTER_OTLP_{kind.upper()}_ENDPOINT).{others}"
    )


async def refuse_missed(call: Call, path: str, message: str, explain: ErrorAnswer) -> Answer:
    """404 with `message`. Kept only where the key is valid: strangers fill nobody's list."""
    error, context = NotFound(message), call.context
    with suppress(MiniapmError):
        await call.authorise(*SCOPES)
        await context.refusals.record(
            # some senders have their key in the address
            context.scrubber.scrub_text(printable(path, _LONGEST_PATH)),
            call.key,
            error,
            await call.first_bytes(),
            call.headers.get(b"content-type", b""),
        )
    return answer_error(error, explain, context, call.headers)


class MissedAddress:
    """Answers at addresses where nothing is; `paths` are those that senders post to."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = sorted(paths, key=len, reverse=True)
        self._by_noun: dict[str, str] = {}
        for path in paths:
            self._by_noun.setdefault(_name_noun(path), path)

    async def answer(self, call: Call, scope: Scope) -> Answer:
        """404, saying which address is meant, in the shape that its senders read."""
        path, headers = scope["path"], call.headers
        meant = self._find(path)
        signal = _find_signal_of(meant) if meant else None
        shape: ErrorAnswer = explain_as_json
        if is_protobuf(headers) or (signal and _OTLP_END.search(path.rstrip("/").lower())):
            shape = explain_as_status
        if signal or (meant is None and is_protobuf(headers)):
            message = explain_otlp(signal, headers, scope.get("scheme", "http"), call.context)
        else:
            message = f"{_NOTHING}{self._point_to(meant, path)}."
        if scope["method"] in _READ_ONLY:
            return answer_error(NotFound(message), shape, call.context, headers)
        return await refuse_missed(call, path, message, shape)

    def _find(self, sent: str) -> str | None:
        """The address that is probably meant."""
        path = sent.rstrip("/").lower()[-_LONGEST_PATH:]
        own = path.removeprefix("/ingest/")
        among = [known for known in self._paths if own == path or known.startswith("/ingest/")]
        for known in among:
            if path.endswith(known):
                return known
        if (signal := _find_signal_of(path)) is not None:
            return self._by_noun[signal]
        names = {known.removeprefix("/ingest/").strip("/"): known for known in among}
        near = get_close_matches(own.strip("/"), names, 1, _LIKE_ENOUGH)
        return names[near[0]] if near else None

    def _point_to(self, meant: str | None, path: str) -> str:
        if meant is not None:
            return f"; {_name_noun(meant)} go to {meant}"
        if path.startswith(("/api/", "/hooks/")):
            return ""
        return "; " + _list_places(self._by_noun)


def _list_places(by_noun: Mapping[str, str]) -> str:
    [first, *others] = by_noun.items()
    return ", ".join([f"{first[0]} go to {first[1]}", *(f"{n} to {path}" for n, path in others)])


def _find_signal_of(path: str) -> str | None:
    found = _SIGNAL.search(path)
    return _SIGNALS[found[1]] if found else None


def _name_noun(path: str) -> str:
    """What goes to an address: `deploys` for /ingest/deploys, `traces` for /v1/traces."""
    return path.removeprefix("/ingest").removeprefix("/v1").strip("/").partition("/")[0]
