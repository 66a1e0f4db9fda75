"""Styles, scripts and pictures: read once, held in memory, named by their content.

A name changes with what the file holds, so browsers may keep each for ever.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from miniapm.exceptions import NotFound
from miniapm.web.auth import Caller

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One file as it is sent. `name` holds the first ten characters of its hash."""

    name: str
    media_type: str
    body: bytes
    gzipped: bytes


@cache
def find_assets() -> dict[str, Asset]:
    """All files of `static/` by their plain names, such as `app.css`."""
    folder = Path(__file__).parent / "static"
    return {path.name: _load(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES}


def _load(path: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:10]
    return Asset(
        name=f"{path.stem}.{digest}{path.suffix}",
        media_type=_TYPES[path.suffix],
        body=body,
        gzipped=gzip.compress(body, mtime=0),
    )


@cache
def _by_hashed_name() -> dict[str, Asset]:
    return {asset.name: asset for asset in find_assets().values()}


def asset_url(name: str) -> str:
    """The address of `static/name`; KeyError when there is no such file."""
    return f"/static/{find_assets()[name].name}"


async def get_asset(request: Request, caller: Caller) -> Response:
    asset = _by_hashed_name().get(request.path_params["name"])
    if asset is None:
        raise NotFound("There is no such file; load the page again.")
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    body = asset.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        body = asset.gzipped
    return Response(body, headers=headers, media_type=asset.media_type)
