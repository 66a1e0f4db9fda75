"""What stands where no deploy is yet: the one command that brings one, and what was refused."""

from dataclasses import dataclass

from starlette.requests import Request

from miniapm.storage.connection import Connection
from miniapm.storage.refusals import UNKNOWN_PROJECT, find_refusals
from miniapm.web.addresses import base_url
from miniapm.web.auth import Caller
from miniapm.web.pages.refusals import RefusalRow, tell_refusal

_SHOWN_REFUSALS = 8


@dataclass(frozen=True, slots=True)
class EmptyState:
    """`command` is ready for a shell that has $MINIAPM_API_KEY."""

    command: str
    refusals: tuple[RefusalRow, ...]
    unknown_refusals: tuple[RefusalRow, ...]


async def find_empty_state(request: Request, caller: Caller) -> EmptyState:
    """For the project of the call; admins see the calls with a key that nobody knows, too."""
    read = caller.context.database.read
    return EmptyState(
        write_command(base_url(request, caller.context)),
        await read(_find, caller.its_project.id),
        await read(_find, UNKNOWN_PROJECT) if caller.may("admin") else (),
    )


def write_command(base: str) -> str:
    """A curl that records a deploy; prints the status code."""
    return (
        f"curl -sS -w '%{{http_code}}\\n' {base}/ingest/deploys \\\n"
        '  -H "Authorization: Bearer $MINIAPM_API_KEY" \\\n'
        """  -d '{"git_sha": "4f2a91c", "version": "v1.0.0", "deployer": "me"}'"""
    )


def _find(connection: Connection, project_id: int) -> tuple[RefusalRow, ...]:
    refusals = find_refusals(connection, project_id, _SHOWN_REFUSALS)
    return tuple(tell_refusal(refusal, {}, cut=True) for refusal in refusals)
