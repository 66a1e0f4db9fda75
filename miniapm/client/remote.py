"""A miniapm server seen from outside: what to ask of it, and what came back.

Standard library only. The key stands in no message.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from miniapm.client.deadline import Deadline
from miniapm.client.server import Server
from miniapm.client.transport import Answer, NoAnswer, exchange


@dataclass(frozen=True, slots=True)
class Sent:
    """Recorded; `page` is the absolute address of the deploy's page, where the server named it."""

    page: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The JSON value that a GET brought."""

    value: object


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered that it will not; sending the same again will not help."""

    status: int
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No server, or one that cannot answer now; sending the same again is safe."""

    reason: str


def send_deploy(
    server: Server,
    payload: Mapping[str, object],
    deadline: Deadline,
    idempotency_key: str | None = None,
) -> Sent | Refused | Unreachable:
    """POSTs a deploy; every try carries the same Idempotency-Key, where there is one.

    None is made up: the server knows a repeat by what it says, and a key of its own for each role
    of a fleet would make one deploy many.
    """
    body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    headers = {"Content-Type": "application/json"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    answer = exchange(server.message("POST", "/ingest/deploys", headers, body), deadline)
    if isinstance(answer, NoAnswer):
        return Unreachable(answer.reason)
    location = answer.headers.get("location")
    if answer.status == 202 or (200 <= answer.status < 300 and location):
        return Sent(_one_line(server, server.address(location)) if location else None)
    return _refusal(server, answer)


def get_json(
    server: Server,
    path: str,
    deadline: Deadline,
    query: Mapping[str, str] | None = None,
    *,
    retry: bool = True,
) -> Found | Refused | Unreachable:
    """GETs a path of the JSON API."""
    target = f"{path}?{urlencode(query)}" if query else path
    answer = exchange(server.message("GET", target, {}), deadline, retry=retry)
    if isinstance(answer, NoAnswer):
        return Unreachable(answer.reason)
    if answer.status != 200:
        return _refusal(server, answer)
    if answer.is_cut:
        return Refused(200, f"with more than {len(answer.body) // 2**20} MiB, which is too large")
    try:
        return Found(json.loads(answer.body))
    except (ValueError, RecursionError):
        return Refused(200, "without JSON; see that MINIAPM_URL is the address of miniapm")


def explain(outcome: Refused | Unreachable) -> str:
    """What went wrong and what to do, in one line."""
    if isinstance(outcome, Unreachable):
        return f"{outcome.reason}; see that the server runs at MINIAPM_URL, then send it again"
    fields = [f"{name} {problem}" for name, problem in outcome.fields.items()]
    # a message that begins with the first of them has no more to say than all of them
    told = fields and outcome.message.startswith(fields[0])
    message = "" if told else outcome.message.rstrip(".")
    said = ": ".join(part for part in (message, "; ".join(fields)) if part)
    hint = _HINTS.get(outcome.status)
    return f"the server answered {outcome.status}, {said}" + (f"; {hint}" if hint else "")


_WRONG_ADDRESS = "see that MINIAPM_URL is the address of miniapm"
_HINTS = {
    400: "correct what is named and send it again",
    401: "set MINIAPM_API_KEY to a key that `miniapm keys create` printed",
    403: "use a key that is valid and has the scope",
    404: _WRONG_ADDRESS,
    405: _WRONG_ADDRESS,
}


def _refusal(server: Server, answer: Answer) -> Refused | Unreachable:
    status = answer.status
    message, fields = _message_and_fields(server, answer)
    if status in (408, 429) or status >= 500:
        return Unreachable(f"the server answered {status}, {message.rstrip('.')}")
    if 200 <= status < 300:
        return Refused(status, f"which miniapm does not; {_WRONG_ADDRESS}")
    if 300 <= status < 400:
        target = _one_line(server, answer.headers.get("location", "nowhere"))
        return Refused(status, f"a redirect to {target}; set MINIAPM_URL to where it leads")
    return Refused(status, message, fields)


def _message_and_fields(server: Server, answer: Answer) -> tuple[str, dict[str, str]]:
    """From the JSON error shape; the status's usual phrase where somebody else answered."""
    try:
        shape = json.loads(answer.body)
    except (ValueError, RecursionError):
        shape = None
    if isinstance(shape, dict) and isinstance(shape.get("message"), str):
        fields = shape.get("fields")
        fields = fields if isinstance(fields, dict) else {}
        return _one_line(server, shape["message"]), {
            _one_line(server, name): _one_line(server, str(what)) for name, what in fields.items()
        }
    known = {status.value: status.phrase for status in HTTPStatus}
    return known.get(answer.status, "an unknown status"), {}


def _one_line(server: Server, text: str) -> str:
    """A stranger's text made fit for a line in a log: no controls, no key, not endless."""
    text = text.replace(server.api_key, "***")
    text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:500]
