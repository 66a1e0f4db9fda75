"""Choosing the time zone by hand, for browsers without scripts or people who travel."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.clock import DAY, SECOND
from miniapm.exceptions import Invalid
from miniapm.web.addresses import is_secure
from miniapm.web.auth import Caller
from miniapm.web.forms import local_path, read_form
from miniapm.web.render import render
from miniapm.web.time_zone import ZONE_COOKIE, find_zone_names, make_zone

_KEPT_SECONDS = 400 * DAY // SECOND


@dataclass(frozen=True, slots=True)
class TimeZoneView:
    """The zones to choose from. `next` is where the person came from."""

    names: list[str]
    next: str


async def get_time_zone(request: Request, caller: Caller) -> Response:
    view = TimeZoneView(sorted(find_zone_names()), local_path(request.query_params.get("next")))
    return render(request, caller, "time_zone.html", view)


async def post_time_zone(request: Request, caller: Caller) -> Response:
    """Keeps the zone in a cookie and goes back to where the person was."""
    form = await read_form(request)
    zone = make_zone(form.get("zone", ""))
    if zone is None:
        raise Invalid("This server does not know that time zone.", {"zone": "is not known"})
    response = RedirectResponse(local_path(form.get("next")), 303)
    response.set_cookie(
        ZONE_COOKIE,
        zone.name,
        max_age=_KEPT_SECONDS,
        samesite="lax",
        secure=is_secure(request, caller.context),
    )
    return response
