"""What is live where, over the JSON API.

The docstring of each handler stands in the OpenAPI document.
"""

from starlette.requests import Request
from starlette.responses import Response

from miniapm.storage.delivery.environments import find_places
from miniapm.web.addresses import base_url
from miniapm.web.api.environment_bodies import EnvironmentList, EnvironmentQuery, to_place_body
from miniapm.web.api.queries import Problems, choose_project, read_query
from miniapm.web.auth import Caller
from miniapm.web.json_answers import answer_json


async def list_environments(request: Request, caller: Caller) -> Response:
    """Lists what is live where and since when, with what each has more and less than production.

    All of them are on one page.
    """
    problems: Problems = {}
    query = read_query(request, EnvironmentQuery, problems)
    project = await choose_project(caller, problems)
    context = caller.context
    services = await context.database.read(
        find_places, project.id, context.config.delivery_rules, query.env, query.service
    )
    pages = f"{base_url(request, context)}/p/{project.slug}/deploys"
    return answer_json(
        EnvironmentList(
            [
                to_place_body(place, service.compared_with, pages)
                for service in services
                for place in service.places
            ]
        )
    )
