"""Whose a thing is that an address of the API names by its id alone."""

from collections.abc import Callable

from starlette.requests import Request

from miniapm.domain.ids import parse_id
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.projects import Project
from miniapm.web.auth import Caller


async def find_its_project(
    request: Request, caller: Caller, noun: str, get_owner: Callable[[Connection, int], Project]
) -> tuple[Project, int]:
    """The project of the `noun` in the address, and the id of it; NotFound for rubbish and for what
    is in a project that the caller may not see."""
    found = parse_id(request.path_params["id"])
    if found is None:
        raise NotFound(f"There is no such {noun}.")
    project = caller.project
    if project is None:
        project = await caller.context.database.read(get_owner, found)
    if not caller.may_see(project.id):
        raise NotFound(f"There is no such {noun}.")
    return project, found
