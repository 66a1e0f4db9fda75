"""The timeline: what was deployed, when, by whom."""

from starlette.requests import Request
from starlette.responses import Response

from miniapm.storage.deploys.find import DeployFilter, find_deploys
from miniapm.web.auth import Caller
from miniapm.web.render import render


async def get_timeline(request: Request, caller: Caller) -> Response:
    project = caller.its_project
    deploys = await caller.context.database.read(find_deploys, project.id, DeployFilter(), 50)
    return render(request, caller, "timeline.html", {"project": project, "deploys": deploys})
