"""Why a deploy is not in a graph or a number, over the JSON API.

The docstring of each handler stands in the OpenAPI document.
"""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.doctor import Mark
from miniapm.storage.doctor.deploy import Terms, examine_deploy
from miniapm.web.api.deploys import find_place
from miniapm.web.auth import Caller
from miniapm.web.json_answers import answer_json


class FindingBody(msgspec.Struct, frozen=True):
    """One thing that is so, and what to do about it where there is something to do."""

    mark: Annotated[Mark, Meta(description="`note` tells what is amiss")]
    sentence: str
    advice: str


class DiagnosisBody(msgspec.Struct, frozen=True):
    """Whether a deploy counts, and what leaves it out of graphs and numbers."""

    findings: list[FindingBody]


async def diagnose_deploy(request: Request, caller: Caller) -> Response:
    """Says why a deploy is not in a graph or number.

    The first finding says whether it counts; each of the others names a rule that leaves it out,
    or what is missing. `miniapm doctor --deploy` says the same.
    """
    place = await find_place(request, caller)
    context = caller.context
    terms = Terms(context.config.delivery_rules, context.deploy_timeout, context.judged_since)
    found = await context.database.read(examine_deploy, place.deploy, terms, context.clock())
    findings = [FindingBody(one.mark, one.sentence, one.advice) for one in found]
    return answer_json(DiagnosisBody(findings))
