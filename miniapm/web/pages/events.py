"""`/p/{slug}/events`: server-sent events that say when a project's deploys changed."""

from collections.abc import AsyncIterator
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from miniapm.exceptions import Busy
from miniapm.web.auth import Caller, find_user

_HEADERS = {
    "cache-control": "no-store",
    # nginx holds back what it thinks is a short answer
    "x-accel-buffering": "no",
}


async def get_events(request: Request, caller: Caller) -> Response:
    """`event: deploys` with the instant of the newest change as its id, as often as it changes.

    `?seen=` (or Last-Event-ID) is the newest change that the page knows: what came between the
    page and the stream is told at once.
    """
    live = caller.context.live
    if live.is_full:
        raise Busy("Too many pages listen already; load the page again to see what is new.", 15)
    seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
    # a HEAD asks for the headers alone; its answer must end
    chunks = _tell(request, caller, _parse_seen(seen), once=request.method == "HEAD")
    return StreamingResponse(chunks, headers=_HEADERS, media_type="text/event-stream")


async def _tell(
    request: Request, caller: Caller, seen: int | None, *, once: bool
) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    if once:
        return
    live, project_id = caller.context.live, caller.its_project.id
    asked_at = monotonic()
    with live.listen(project_id, seen) as listener:
        while not listener.is_over:
            change = await listener.wait(live.heartbeat_seconds)
            if monotonic() - asked_at >= live.heartbeat_seconds:
                asked_at = monotonic()
                # a stream must not outlive the session that it was opened with
                user = await find_user(request, caller.context)
                if user is None or not user.may_see(project_id):
                    return
            if change is not None:
                yield f"id: {change}\nevent: deploys\ndata: {change}\n\n"
            elif not listener.is_over:
                yield ": still here\n\n"


def _parse_seen(text: str) -> int | None:
    """0 is a project without deploys; what is no instant counts as nothing seen."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
