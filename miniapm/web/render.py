"""How it looks: the one Jinja environment, and the one function that makes a page of a template."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from miniapm.clock import to_rfc3339
from miniapm.web.auth import Caller


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
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(find_templates()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["rfc3339"] = to_rfc3339
    return environment


def render(
    request: Request, caller: Caller, template: str, view: Mapping[str, Any], status: int = 200
) -> Response:
    text = _environment().get_template(template).render(caller=caller, **view)
    return HTMLResponse(text, status, headers={"cache-control": "private, no-cache"})
