"""Who may: turns a request into a Caller, or refuses it. Decided on the route and path alone."""

import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.keys import Key
from miniapm.domain.tokens import hash_token
from miniapm.domain.users import Role, User
from miniapm.exceptions import Forbidden, NotFound, Unauthorized
from miniapm.storage.projects import Project, find_projects, get_project
from miniapm.storage.users import find_session_user
from miniapm.web.context import Context

SESSION_COOKIE = "miniapm_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ORIGIN = re.compile(r"(https?)://([^/@\s]+)")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class Access(NamedTuple):
    """What a route asks for: one of `scopes` of a key, or at least `role` of a signed-in person.

    Neither: everybody.
    """

    scopes: tuple[str, ...] = ()
    role: Role | None = None


PUBLIC = Access()


class Caller(msgspec.Struct, frozen=True):
    """Who calls. `project` is the one in the address, else the key's; None where there is none."""

    context: Context
    user: User | None = None
    key: Key | None = None
    project: Project | None = None

    @property
    def actor(self) -> str:
        """The name for the audit trail."""
        if self.user is not None:
            return self.user.name
        return f"key {self.key.name}" if self.key is not None else "nobody"

    def may_see(self, project_id: int) -> bool:
        if self.user is not None:
            return self.user.may_see(project_id)
        return self.key is not None and self.key.project_id == project_id

    def may(self, role: Role) -> bool:
        return self.user is not None and self.user.is_at_least(role)

    @property
    def its_project(self) -> Project:
        """The project of the call; NotFound where it has none."""
        if self.project is None:
            raise NotFound("There is no such project.")
        return self.project


async def identify(request: Request, context: Context, access: Access) -> Caller:
    """The caller of a route with `access`; Unauthorized, Forbidden or NotFound when it may not."""
    refuse_cross_site(request, context)
    user = await find_user(request, context)
    if access == PUBLIC:
        return Caller(context, user=user)
    header = request.headers.get("authorization")
    if header is not None and access.scopes:
        caller = await _identify_key(context, header, access)
        _refuse_other_project(request, caller)
        return caller
    if user is None:
        raise Unauthorized("Sign in, or send a key as `Authorization: Bearer proj_...`.")
    if access.role is None or not user.is_at_least(access.role):
        raise Forbidden("Your role does not allow this.")
    slug = request.path_params.get("slug") or request.query_params.get("project")
    project = await _find_project(context, user, slug) if slug else None
    return Caller(context, user=user, project=project)


async def _identify_key(context: Context, header: str, access: Access) -> Caller:
    scheme, _, rest = header.strip().partition(" ")
    key = await context.keyring.get(rest.strip() if scheme.lower() == "bearer" else scheme)
    key.refuse_without(*access.scopes)
    project = await context.database.read(get_project, key.project_slug)
    return Caller(context, key=key, project=project)


def _refuse_other_project(request: Request, caller: Caller) -> None:
    named = request.query_params.get("project")
    if named and named != caller.its_project.slug:
        raise Forbidden(f"This key is of the project {caller.its_project.slug} alone.")


async def _find_project(context: Context, user: User, slug: str) -> Project:
    project = await context.database.read(get_project, slug)
    if not user.may_see(project.id):
        raise NotFound(f"There is no project {slug}.")
    return project


async def find_visible_projects(caller: Caller) -> list[Project]:
    """The projects that the caller may look at, by name."""
    projects = await caller.context.database.read(find_projects)
    return [project for project in projects if caller.may_see(project.id)]


async def find_user(request: Request, context: Context) -> User | None:
    """Who is signed in on this browser."""
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    return await context.database.read(find_session_user, hash_token(token), context.clock())


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


def sign_in_page(request: Request) -> Response:
    """Where a person without a session goes; comes back to what was asked for."""
    # the path as it came: `request.url` is made of the Host header, too
    target = request.scope["raw_path"].decode("latin-1")
    if request.scope["query_string"]:
        target = f"{target}?{request.scope['query_string'].decode('latin-1')}"
    query = "" if request.method != "GET" or target == "/" else f"?next={quote(target)}"
    return RedirectResponse(f"/login{query}", status_code=303)


def base_url(request: Request, context: Context) -> str:
    """The address under which the caller reached us, without a slash at the end."""
    if context.config.server.public_url:
        return context.config.server.public_url
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        host = "localhost"
    return f"{request.scope.get('scheme', 'http')}://{host}"


def is_secure(request: Request, context: Context) -> bool:
    """Whether cookies must be `Secure`."""
    return base_url(request, context).startswith("https://")
