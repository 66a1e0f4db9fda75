"""Under which address the caller reached us."""

import re

from starlette.requests import Request

from miniapm.web.context import Context

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def base_url(request: Request, context: Context) -> str:
    """The address under which the caller reached us, without a slash at the end."""
    host = request.headers.get("host", "")
    return write_base_url(host, request.scope.get("scheme", "http"), context)


def write_base_url(host: str, scheme: str, context: Context) -> str:
    """The same, of the Host header and the scheme of a call."""
    if context.config.server.public_url:
        return context.config.server.public_url
    if _HOST.fullmatch(host) is None:
        host = "localhost"
    return f"{scheme}://{host}"


def is_secure(request: Request, context: Context) -> bool:
    """Whether cookies must be `Secure`."""
    return base_url(request, context).startswith("https://")
