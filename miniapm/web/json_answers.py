"""JSON answers and JSON bodies of what is not ingest."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.strict_json import decode_object
from miniapm.web.auth import Caller
from miniapm.web.limits import inflate, read_body


def answer_json(content: object, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(content),
        status,
        headers={"cache-control": "private, no-cache"},
        media_type="application/json",
    )


async def read_object(request: Request, caller: Caller) -> dict[str, Any]:
    """The JSON object in the body, whatever its Content-Type; Invalid or TooLarge."""
    limit = caller.context.config.limits.deploy_body_bytes
    length = request.headers.get("content-length", "").encode("latin-1")
    body = await read_body(request.receive, limit, length)
    encoding = request.headers.get("content-encoding", "").encode("latin-1")
    return decode_object(inflate(body, encoding, limit))
