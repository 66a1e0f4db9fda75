"""How it looks: the one Jinja environment, and the one function that makes a page of a template."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context as TemplateContext
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from miniapm.clock import to_rfc3339
from miniapm.domain.counts import tell_count
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.web import times
from miniapm.web.assets import asset_url
from miniapm.web.auth import Caller
from miniapm.web.escaping import PageEnvironment
from miniapm.web.filters import kept_query
from miniapm.web.time_zone import Zone, find_zone
from miniapm.web.verdicts import tell_mark

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@cache
def find_templates() -> Path:
    """Beside the package in a wheel, beside the project in a checkout."""
    package = Path(__file__).parent.parent
    shipped, checkout = package / "templates", package.parent / "templates"
    if shipped.is_dir():
        return shipped
    if checkout.is_dir() and (package.parent / "pyproject.toml").is_file():
        return checkout
    raise FileNotFoundError(f"The templates are neither in {shipped} nor in {checkout}.")


@cache
def make_environment() -> Environment:
    """The Jinja environment: autoescape on, and a name that a view lacks is an error."""
    environment = PageEnvironment(
        loader=FileSystemLoader(find_templates()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["rfc3339"] = to_rfc3339
    environment.filters["instant"] = _instant
    environment.filters["clock"] = _clock
    environment.filters["moment"] = _moment
    environment.filters["counted"] = tell_count
    environment.filters["duration"] = times.tell_duration
    environment.filters["env"] = _env
    environment.filters["weblink"] = weblink
    environment.filters["mark"] = tell_mark
    environment.globals["asset"] = asset_url
    return environment


def render(
    request: Request,
    caller: Caller,
    template: str,
    view: "DataclassInstance",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page of `template` with the names in `view`, a dataclass.

    Every template also has `caller`, `user`, `project`, `zone`, `delivery_rules` (which name
    production), `here` (path and query), `section` (the word after the project in the path) and
    `keep` (the filters, for links to other pages).
    """
    text = (
        make_environment()
        .get_template(template)
        .render({**_frame(request, caller), **_fields(view)})
    )
    # with a body that depends on who asks and in which zone, only the browser itself may keep it
    return HTMLResponse(text, status, {"cache-control": "private, no-cache", **(headers or {})})


def weblink(address: str | None) -> str:
    """`address` when a link may lead there, else "": no scheme but http(s) ever stands in a page,
    however it came into the database."""
    return address if address and address.lower().startswith(("http://", "https://")) else ""


def _frame(request: Request, caller: Caller) -> dict[str, Any]:
    path, query = request.url.path, request.url.query
    parts = path.split("/")
    here = f"{path}?{query}" if query else path
    return {
        "caller": caller,
        "user": caller.user,
        "project": caller.project,
        "zone": find_zone(request),
        "delivery_rules": caller.context.config.delivery_rules,
        # an address that takes forms alone is no place to come back to
        "here": here if request.method in ("GET", "HEAD") else "/",
        "section": parts[3] if len(parts) > 3 and parts[1] == "p" else "",
        "keep": kept_query(request.query_params),
    }


def _fields(view: "DataclassInstance") -> dict[str, Any]:
    return {field.name: getattr(view, field.name) for field in dataclasses.fields(view)}


@pass_context
def _instant(context: TemplateContext, instant: int) -> Markup:
    return times.tell_instant(instant, _zone(context))


@pass_context
def _clock(context: TemplateContext, instant: int) -> Markup:
    return times.tell_clock(instant, _zone(context))


@pass_context
def _moment(context: TemplateContext, instant: int) -> Markup:
    return times.tell_moment(instant, _zone(context))


@pass_context
def _env(context: TemplateContext, name: str) -> Markup:
    """An environment, marked where it is production: there changes reach people."""
    rules: DeliveryRules = context["delivery_rules"]
    mark = " production" if rules.is_production(name) else ""
    return Markup(f'<span class="env{mark}">{escape(name)}</span>')  # noqa: S704 - escaped


def _zone(context: TemplateContext) -> Zone:
    zone: Zone = context["zone"]
    return zone
