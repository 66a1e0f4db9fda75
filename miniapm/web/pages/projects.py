"""The start: the only project, or the list of those that a person may see."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.exceptions import Conflict, Invalid
from miniapm.storage.projects import Project, create_project
from miniapm.web.auth import Caller, find_visible_projects
from miniapm.web.filters import kept_query
from miniapm.web.forms import read_form
from miniapm.web.render import render


@dataclass(frozen=True, slots=True)
class ProjectsView:
    """The list, and for admins the form for one more."""

    projects: list[Project]
    may_create: bool
    name: str = ""
    faults: dict[str, str] = field(default_factory=dict)


async def get_home(request: Request, caller: Caller) -> Response:
    """The only project of a person, else the list."""
    projects = await find_visible_projects(caller)
    if len(projects) == 1:
        return _send_to(projects[0], request)
    return render(request, caller, "projects.html", ProjectsView(projects, caller.may("admin")))


async def get_projects(request: Request, caller: Caller) -> Response:
    """The list, however long it is."""
    projects = await find_visible_projects(caller)
    return render(request, caller, "projects.html", ProjectsView(projects, caller.may("admin")))


async def post_project(request: Request, caller: Caller) -> Response:
    """Makes a project and goes to it."""
    context = caller.context
    name = (await read_form(request)).get("name", "")
    act = caller.make_act()
    try:
        project = await context.database.write(create_project, act, name)
    except (Invalid, Conflict) as error:
        faults = {"name": error.message}
        projects = await find_visible_projects(caller)
        view = ProjectsView(projects, caller.may("admin"), name, faults)
        return render(request, caller, "projects.html", view, error.status)
    return RedirectResponse(f"/p/{project.slug}/settings", 303)


async def get_project_home(request: Request, caller: Caller) -> Response:
    """The overview, whose address ends in a slash."""
    return _send_to(caller.its_project, request)


def _send_to(project: Project, request: Request) -> Response:
    return RedirectResponse(f"/p/{project.slug}/{kept_query(request.query_params)}", 303)
