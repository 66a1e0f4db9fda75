"""Refusing changes that another site's page asks a browser to make."""

import re
from urllib.parse import urlsplit

from starlette.requests import Request

from miniapm.exceptions import Forbidden
from miniapm.web.context import Context

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ORIGIN = re.compile(r"(https?)://([^/@\s]+)")


def refuse_cross_site(request: Request, context: Context) -> None:
    """Forbidden for a change that another site's page asks a browser to make.

    Sec-Fetch-Site where the browser sends it (not to plain HTTP on a network), else Origin against
    our own address; a caller that sends neither is no browser.
    """
    if request.method in _SAFE_METHODS:
        return
    sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    if sites:
        allowed = all(site in ("same-origin", "none") for site in sites)
    else:
        allowed = all(_is_own_origin(origin, request, context) for origin in origins)
    if not allowed:
        raise Forbidden("This change was asked for by a page of another site.")


def _is_own_origin(origin: str, request: Request, context: Context) -> bool:
    found = _ORIGIN.fullmatch(origin.lower())
    if found is None:
        return False
    scheme, host = found[1], _without_default_port(found[2], found[1])
    public = urlsplit(context.config.server.public_url.lower())
    if public.netloc and host == _without_default_port(public.netloc, public.scheme):
        return scheme == public.scheme
    # behind a proxy that we do not trust the scheme of the request says nothing
    hosts = request.headers.getlist("host")
    return len(hosts) == 1 and host == _without_default_port(hosts[0].lower(), scheme)


def _without_default_port(netloc: str, scheme: str) -> str:
    return netloc.removesuffix(":443" if scheme == "https" else ":80")
