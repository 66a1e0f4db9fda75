"""The page of one deploy: what it did, its fields, what stood around it, its commits, and its
corrections."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.repositories import Repository, read_repository
from miniapm.domain.deploys.shown import ShownDeploy
from miniapm.domain.deploys.values import ENDS, Commit, Deploy
from miniapm.domain.ids import parse_id
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.change import Change, find_changes
from miniapm.storage.deploys.find import no_such_deploy
from miniapm.storage.deploys.shown import get_shown
from miniapm.storage.deploys.surroundings import find_next_live, find_previous_live
from miniapm.storage.deploys.traffic import Traffic, find_traffic
from miniapm.storage.errors.find import NewGroups, find_groups_of_deploy
from miniapm.storage.impact.shown import find_newest_change
from miniapm.storage.keys import find_keys
from miniapm.web.auth import Caller
from miniapm.web.pages.commit_lines import (
    CommitLine,
    link_commit,
    link_comparison,
    tell_commit,
)
from miniapm.web.pages.deploy_changes import ToldChange, tell_changes
from miniapm.web.pages.deploy_delivery import (
    DeliveryTold,
    FoundOutcome,
    find_deploy_outcome,
    tell_delivery,
)
from miniapm.web.pages.deploy_errors import MOST_ERRORS, NewErrors, tell_new_errors
from miniapm.web.pages.deploy_form import Draft, Field, make_fields
from miniapm.web.pages.deploy_impact import (
    FoundImpact,
    ImpactView,
    find_deploy_impact,
    tell_impact,
)
from miniapm.web.pages.deploy_telemetry import TelemetryView, tell_telemetry
from miniapm.web.pages.deploy_words import (
    KIND_WORDS,
    tell_sources,
    tell_status,
)
from miniapm.web.render import render
from miniapm.web.time_zone import find_zone


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The deploy that was live before or after, by its name."""

    id: int
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave."""

    shown: ShownDeploy
    commits: list[Commit]
    previous: Deploy | None
    next: Deploy | None
    changes: list[Change]
    change: int
    key_names: dict[int, str]
    traffic: Traffic | None
    new_groups: NewGroups | None
    impact: FoundImpact
    outcome: FoundOutcome | None


@dataclass(frozen=True, slots=True)
class DeployView:
    """`fields` is empty for those who may not edit; `notice` names the change just made."""

    deploy: Deploy
    name: str
    title: str
    status_words: str
    kind: str
    reason: str
    duration: int | None
    sources: str
    repository: Repository | None
    commit_link: str
    compare_link: str
    previous: Neighbour | None
    next: Neighbour | None
    impact: ImpactView | None
    delivery: DeliveryTold | None
    telemetry: TelemetryView | None
    new_errors: NewErrors | None
    commits: tuple[CommitLine, ...]
    changes: tuple[ToldChange, ...]
    change: int
    notice: str
    notice_change_id: int | None
    may_edit: bool
    fields: tuple[Field, ...]
    trouble: str = field(default="")


async def get_deploy_page(request: Request, caller: Caller) -> Response:
    return await show_deploy(request, caller)


def deploy_id_of(request: Request) -> int:
    """The id in the address; NotFound when it cannot be one."""
    deploy_id = parse_id(request.path_params["id"])
    if deploy_id is None:
        raise no_such_deploy()
    return deploy_id


async def show_deploy(
    request: Request, caller: Caller, draft: Draft | None = None, status: int = 200
) -> Response:
    """The page; with `draft`, the form as it was sent, and what was wrong with it."""
    project = caller.its_project
    now, rules = caller.context.clock(), caller.context.config.delivery_rules
    found = await caller.context.database.read(_find, project.id, deploy_id_of(request), now, rules)
    deploy = found.shown.deploy
    zone = find_zone(request)
    changes = tell_changes(found.changes, zone)
    notice, notice_change_id = _find_notice(request, changes)
    repository = read_repository(deploy.repository)
    may_edit = caller.may("member")
    view = DeployView(
        deploy=deploy,
        name=deploy.name,
        title=found.shown.title or "",
        status_words=tell_status(deploy),
        kind=KIND_WORDS[found.shown.kind.kind],
        reason=found.shown.kind.reason,
        duration=_duration(deploy),
        sources=tell_sources(found.shown, found.key_names),
        repository=repository,
        commit_link=link_commit(repository, deploy.git_sha),
        compare_link=link_comparison(repository, found.previous, deploy),
        previous=_neighbour(found.previous),
        next=_neighbour(found.next),
        impact=tell_impact(deploy, found.impact, caller.context, zone),
        delivery=tell_delivery(deploy, found.outcome, rules, now),
        telemetry=tell_telemetry(deploy, found.traffic, zone),
        new_errors=tell_new_errors(
            deploy, found.new_groups, has_telemetry=found.traffic is not None
        ),
        commits=tuple(tell_commit(commit, repository) for commit in found.commits),
        changes=changes,
        change=found.change,
        notice=notice,
        notice_change_id=notice_change_id,
        may_edit=may_edit,
        fields=make_fields(deploy, zone, draft) if may_edit else (),
        trouble=draft.trouble if draft else "",
    )
    return render(request, caller, "deploy.html", view, status)


def _find(
    connection: Connection, project_id: int, deploy_id: int, now: int, rules: DeliveryRules
) -> Found:
    found = get_shown(connection, project_id, deploy_id)
    deploy = found.shown.deploy
    following = find_next_live(connection, deploy)
    until = now + 1 if following is None else following.deployed_at
    new = find_groups_of_deploy(connection, deploy, until, MOST_ERRORS)
    return Found(
        shown=found.shown,
        commits=found.commits,
        previous=find_previous_live(connection, deploy),
        next=following,
        changes=find_changes(connection, project_id, deploy_id),
        change=find_newest_change(connection, project_id),
        key_names={key.id: key.name for key in find_keys(connection, project_id)},
        traffic=find_traffic(connection, deploy, now),
        new_groups=new if deploy.status == "succeeded" else None,
        impact=find_deploy_impact(connection, deploy),
        outcome=find_deploy_outcome(connection, deploy, rules),
    )


def _find_notice(request: Request, changes: tuple[ToldChange, ...]) -> tuple[str, int | None]:
    """What was just done, and the change that undoes it."""
    query = request.query_params
    if query.get("changed") == "nothing":
        return "Nothing was different.", None
    wanted = query.get("undone") or query.get("changed")
    change = next((c for c in changes if str(c.id) == wanted), None)
    if change is None:
        return "", None
    return ("Undone." if "undone" in query else change.done), change.id


def _duration(deploy: Deploy) -> int | None:
    if deploy.started_at is None or deploy.status not in ENDS:
        return None
    return deploy.deployed_at - deploy.started_at


def _neighbour(deploy: Deploy | None) -> Neighbour | None:
    return None if deploy is None else Neighbour(deploy.id, deploy.name, deploy.deployed_at)
