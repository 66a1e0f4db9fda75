"""What a member says of an error: resolved, ignored, open again. It leads back to its page."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.domain.errors.values import STATES
from miniapm.exceptions import Invalid
from miniapm.storage.errors.groups import set_state
from miniapm.web.auth import Caller
from miniapm.web.filters import kept_query
from miniapm.web.forms import read_form
from miniapm.web.pages.error import group_id_of


async def post_error_state(request: Request, caller: Caller) -> Response:
    group_id, form = group_id_of(request), await read_form(request)
    state = next((s for s in STATES if s == form.get("state")), None)
    if state is None:
        raise Invalid("The state must be open, resolved or ignored.", {"state": "is none"})
    project = caller.its_project
    await caller.context.database.write(set_state, caller.make_act(), project.id, group_id, state)
    kept = kept_query(request.query_params)
    return RedirectResponse(f"/p/{project.slug}/errors/{group_id}{kept}", 303)
