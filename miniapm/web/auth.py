"""Who may: turns a request into a Caller, or refuses it. Decided on the route and path alone."""

from contextlib import suppress
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.authorization import read_secret
from miniapm.domain.keys import Key
from miniapm.domain.tokens import hash_token
from miniapm.domain.users import Role, User
from miniapm.exceptions import Forbidden, NotFound, Unauthorized
from miniapm.storage.audit import Act
from miniapm.storage.projects import Project, find_projects, get_project
from miniapm.storage.sessions import find_session_user
from miniapm.web.context import Context
from miniapm.web.cross_site import refuse_cross_site

SESSION_COOKIE = "miniapm_session"


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

    def make_act(self) -> Act:
        """What a change of this caller writes to the audit trail, as of now."""
        return Act(self.actor, self.context.clock(), self.context.make_id)

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
    key = await context.keyring.get(read_secret(header))
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


async def find_visitor(request: Request, context: Context) -> Caller:
    """Who sees a page that says why there is no other: their own pages stay in reach from it.

    `project` is that of the address where they may see it. Raises nothing: what is told matters
    more than who is told.
    """
    user = project = None
    with suppress(Exception):
        user = await find_user(request, context)
        parts = request.scope["path"].split("/")
        if user is not None and len(parts) > 2 and parts[1] == "p":
            project = await _find_project(context, user, parts[2])
    return Caller(context, user=user, project=project)


def sign_in_page(request: Request) -> Response:
    """Where a person without a session goes; comes back to what was asked for."""
    # the path as it came: `request.url` is made of the Host header, too
    target = request.scope["raw_path"].decode("latin-1")
    if request.scope["query_string"]:
        target = f"{target}?{request.scope['query_string'].decode('latin-1')}"
    query = "" if request.method != "GET" or target == "/" else f"?next={quote(target)}"
    return RedirectResponse(f"/login{query}", status_code=303)
