"""`GET /api/v1/openapi.json`: for everybody, since it holds no data."""

from starlette.requests import Request
from starlette.responses import Response

from miniapm.web.auth import Caller


async def get_document(request: Request, caller: Caller) -> Response:
    """Describes this API."""
    # the document is made from the route table, which this handler stands in itself
    from miniapm.web.openapi import render_document

    return Response(render_document(), media_type="application/json")
