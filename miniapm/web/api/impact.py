"""Verdicts over the JSON API: asked for, waited for, reviewed.

The docstring of each handler stands in the OpenAPI document.
"""

from time import monotonic
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.reviewing import read_review
from miniapm.domain.impact.unjudged import is_awaited
from miniapm.domain.impact.values import ENDED, Decision, State, StoredVerdict, Verdict
from miniapm.exceptions import Busy, Invalid
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.impact.reviews import review_verdict
from miniapm.storage.impact.shown import Judgement, Standing, find_judgement, find_standing
from miniapm.web.api.deploys import Place, find_place
from miniapm.web.api.impact_bodies import ImpactQuery, to_impact_body
from miniapm.web.api.queries import Problems, read_query
from miniapm.web.auth import Caller
from miniapm.web.hang_ups import call_on_hang_up
from miniapm.web.json_answers import answer_json, read_object

_LOOK_AGAIN_SECONDS = 5.0
"""Two changes in the same microsecond are one to those who listen; so it is looked now and then."""

Seen = tuple[State, Verdict, Decision | None]


class Found(NamedTuple):
    """What one look at the database gave."""

    deploy: Deploy
    judgement: Judgement


async def show_impact(request: Request, caller: Caller) -> Response:
    """Shows what a deploy did: its verdict with the evidence.

    The endpoints that matter most come first, and without `endpoints=all` no more than 200 of them.
    With `wait` it answers as soon as the state, the verdict or the review becomes another one, at
    once where nothing is to come, and after the time with what there is.
    """
    problems: Problems = {}
    query = read_query(request, ImpactQuery, problems)
    if problems:
        raise Invalid(summarise(problems), problems)
    place = await find_place(request, caller)
    if query.wait:
        await _wait(request, caller, place, query.wait)
    return await _answer(caller, place, with_all=query.endpoints == "all")


async def review_impact(request: Request, caller: Caller) -> Response:
    """Dismisses or confirms the verdict of a deploy.

    A dismissed regression stops no pipeline. `decision` null takes back what was said.
    """
    place = await find_place(request, caller)
    decision, note = read_review(await read_object(request, caller))
    await caller.context.database.write(
        review_verdict, caller.make_act(), place.project.id, place.deploy.id, decision, note
    )
    return await _answer(caller, place)


async def _wait(request: Request, caller: Caller, place: Place, seconds: float) -> None:
    """Until it stands differently with the deploy, nothing is to come, the server stops, or who
    asked hangs up; at most `seconds`. No connection to the database is held meanwhile: the looks of
    all listeners are the same one."""
    live, until = caller.context.live, monotonic() + seconds
    first = await _find_standing(caller, place)
    if not _is_to_come(first.verdict, place.deploy, caller.context.judged_since):
        return
    if not live.has_room(place.project.id):
        raise Busy("Too many wait already; ask again later, or without `wait`.", 15)
    with (
        live.listen(place.project.id, first.change) as listener,
        call_on_hang_up(request, listener.end),
    ):
        while (left := until - monotonic()) > 0 and not listener.is_over:
            await listener.wait(min(left, _LOOK_AGAIN_SECONDS))
            if _see((await _find_standing(caller, place)).verdict) != _see(first.verdict):
                return


async def _find_standing(caller: Caller, place: Place) -> Standing:
    database = caller.context.database
    return await database.read(find_standing, place.project.id, place.deploy.id)


def _see(found: StoredVerdict | None) -> Seen:
    """What a change of ends the waiting; a deploy without a row is pending."""
    if found is None:
        return "pending", "not_enough_data", None
    return found.state, found.verdict, found.decision


def _is_to_come(found: StoredVerdict | None, deploy: Deploy, judged_since: int) -> bool:
    """Whether time alone may bring another verdict."""
    return is_awaited(deploy, judged_since) and (found is None or found.state not in ENDED)


async def _answer(caller: Caller, place: Place, *, with_all: bool = False) -> Response:
    found = await caller.context.database.read(_find, place.project.id, place.deploy.id)
    return answer_json(to_impact_body(*found, caller.context.judged_since, with_all=with_all))


def _find(connection: Connection, project_id: int, deploy_id: int) -> Found:
    deploy = get_deploy(connection, project_id, deploy_id)
    return Found(deploy, find_judgement(connection, project_id, deploy_id))
