"""Sends what `miniapm deploy` found, and says what came of it."""

import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field

from miniapm import clock
from miniapm.cli.deploy_payload import Given, Payload, find_payload
from miniapm.client.deadline import Deadline
from miniapm.client.recording import warn
from miniapm.client.remote import Refused, Sent, Unreachable, explain, send_deploy
from miniapm.client.server import Server
from miniapm.exceptions import Invalid


@dataclass(frozen=True, slots=True)
class Shown:
    """A dry run: nothing was sent. `refusal` is what the server would say against it."""

    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class NothingToSend:
    """A setting or the commit is missing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it, and what was or would have been sent."""

    outcome: Sent | Shown | NothingToSend | Refused | Unreachable
    payload: Payload = field(default_factory=lambda: Payload({}))

    @property
    def exit_code(self) -> int:
        """Under --strict."""
        if isinstance(self.outcome, Sent) or self.outcome == Shown():
            return 0
        return 3 if isinstance(self.outcome, Unreachable) else 2


def send(given: Given, idempotency_key: str | None, deadline: Deadline) -> Result:
    """Finds what there is to know and records it."""
    try:
        server = Server.from_environment(os.environ)
        payload = find_payload(given, os.environ, server, _half(deadline))
    except Invalid as error:
        return Result(NothingToSend(error.message))
    return Result(send_deploy(server, payload.body, deadline, idempotency_key), payload)


def preview(given: Given, deadline: Deadline) -> Result:
    """Finds the same and sends nothing; without settings, the server is not asked either."""
    try:
        server = Server.from_environment(os.environ)
    except Invalid:
        server = None
    try:
        payload = find_payload(given, os.environ, server, _half(deadline))
    except Invalid as error:
        return Result(NothingToSend(error.message))
    return Result(Shown(_find_refusal(payload)), payload)


def _find_refusal(payload: Payload) -> str | None:
    """What is wrong with a payload, by the server's own rules: too heavy for a hook to import."""
    from miniapm.domain.deploys.reading import Defaults, announce

    try:
        announce(payload.body, Defaults(project_id=0, service="-"), clock.now(), source="api")
    except Invalid as error:
        return "; ".join(f"{name} {problem}" for name, problem in error.fields.items())
    return None


def _half(deadline: Deadline) -> Deadline:
    return deadline.part(0.5)  # slow git must leave time to send what is known


def print_result(result: Result, *, as_json: bool) -> None:
    """Results to stdout; to stderr notes when it went well, else exactly one warning."""
    outcome, body = result.outcome, result.payload.body
    if isinstance(outcome, Shown):
        _print(json.dumps(body, indent=2))
    elif as_json:
        name = re.sub("(?<!^)(?=[A-Z])", "_", type(outcome).__name__).lower()
        notes = list(result.payload.notes)
        _print(json.dumps({"outcome": name, **asdict(outcome), "deploy": body, "notes": notes}))
    elif isinstance(outcome, Sent):
        where = f" to {body['env']}" if "env" in body else ""
        version = f" ({body['version']})" if "version" in body else ""
        page = f": {outcome.page}" if outcome.page else ""
        _print(f"recorded the deploy of {body['git_sha']}{version}{where}{page}")
    if isinstance(outcome, Sent | Shown):
        for note in result.payload.notes:
            print(f"miniapm: note: {note}", file=sys.stderr)
    elif isinstance(outcome, NothingToSend):
        warn(outcome.reason)
    else:
        warn(explain(outcome))
    if isinstance(outcome, Shown) and outcome.refusal:
        print(f"miniapm: warning: the server will refuse this: {outcome.refusal}", file=sys.stderr)


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        return  # nobody reads, or not in this encoding; the deploy is recorded all the same
