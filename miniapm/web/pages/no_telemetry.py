"""What stands where no telemetry is yet: the settings and the command that bring some."""

from dataclasses import dataclass

from starlette.requests import Request

from miniapm.web.addresses import base_url
from miniapm.web.auth import Caller
from miniapm.web.pages.empty import find_empty_state
from miniapm.web.pages.refusals import RefusalRow
from miniapm.web.snippets import write_telemetry_setup


@dataclass(frozen=True, slots=True)
class NoTelemetry:
    """`setup` is for the environment of an application with OpenTelemetry, `command` for a shell;
    both take the key from $MINIAPM_API_KEY."""

    setup: str
    command: str
    refusals: tuple[RefusalRow, ...]
    unknown_refusals: tuple[RefusalRow, ...]


async def find_no_telemetry(
    request: Request, caller: Caller, last_seen_at: int | None
) -> NoTelemetry | None:
    """For the project of the call; None where telemetry was seen, at `last_seen_at`."""
    if last_seen_at is not None:
        return None
    base = base_url(request, caller.context)
    empty = await find_empty_state(request, caller)
    return NoTelemetry(
        write_telemetry_setup(base, caller.its_project.slug),
        write_request(base),
        empty.refusals,
        empty.unknown_refusals,
    )


def write_request(base: str) -> str:
    """A curl that records one request; prints the answer and the status code."""
    return (
        f"curl -sS -w ' HTTP %{{http_code}}\\n' {base}/ingest/requests \\\n"
        '  -H "Authorization: Bearer $MINIAPM_API_KEY" \\\n'
        """  -d '{"requests": [{"method": "GET", "route": "/hello", "status": 200,"""
        """ "duration_ms": 12}]}'"""
    )
