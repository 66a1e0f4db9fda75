"""Grafana's annotations: what notifiers send becomes a deploy, and deploys are drawn as them."""

from collections.abc import Mapping
from typing import Any, LiteralString

import msgspec

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.domain.instants import parse_instant
from miniapm.domain.receivers.events import list_tags, read_event, split_title
from miniapm.domain.receivers.payloads import Payload
from miniapm.domain.receivers.translating import announce_as
from miniapm.exceptions import Invalid

_NAMES = {"timestamp": "timeEnd", "started_at": "time", "title": "text", "description": "text"}
_GRAPHITE_NAMES = {"timestamp": "when", "title": "what", "description": "data"}
_MARKS = ("deploy", "deployment")
FACTS: Mapping[str, LiteralString] = {
    "service": "service",
    "env": "env",
    "version": "version",
    "sha": "git_sha",
    "status": "status",
}
"""The fields of a deploy that are tags, too, such as `service:shop`, by the names there."""
DEFAULT_LIMIT, MOST = 100, 1000
MOST_TAGS = 50


class AnnotationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which annotations are asked for; since <= t <= until (µs), None leaves an end open."""

    since: int | None = None
    until: int | None = None
    tags: tuple[str, ...] = ()
    match_any: bool = False
    limit: int = DEFAULT_LIMIT
    is_of_alerts: bool = False

    @property
    def choosing_tags(self) -> tuple[str, ...]:
        """The tags asked for, without those that every deploy has; empty where all fit."""
        choosing = tuple(dict.fromkeys(tag for tag in self.tags if tag not in _MARKS))
        return () if self.match_any and len(choosing) < len(set(self.tags)) else choosing


def announce_annotation(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in the body of `POST /api/annotations`; Invalid where it is none."""
    payload = Payload(value)
    title, rest = split_title(payload.required("text"))
    payload.refuse_bad()
    begin, end = value.get("time") or None, value.get("timeEnd") or None
    fields = read_event(title, rest, list_tags(value.get("tags")))
    fields |= {"timestamp": end if end is not None else begin}
    if end is not None and begin is not None:
        fields["started_at"] = begin
    names = _NAMES if end is not None else {**_NAMES, "timestamp": "time"}
    return announce_as(fields, {**names, "git_sha": "tags"}, defaults, now)


def announce_graphite(value: Mapping[str, Any], defaults: Defaults, now: int) -> Announcement:
    """The deploy in the body of `POST /api/annotations/graphite`; Invalid where it is none."""
    payload = Payload(value)
    what, data = payload.required("what"), payload.text("data") or ""
    payload.refuse_bad()
    # the text says more than `Event - deploy`
    title, rest = split_title(data or what)
    fields = read_event(title, rest, [*list_tags(value.get("tags")), *_find_mark(what)])
    fields |= {"timestamp": value.get("when") or None}
    return announce_as(fields, {**_GRAPHITE_NAMES, "git_sha": "tags"}, defaults, now)


def read_query(pairs: Mapping[str, list[str]]) -> AnnotationQuery:
    """What a GET asks for. Invalid names every bad field."""
    problems: dict[str, str] = {}

    def last(name: str) -> str:
        return pairs.get(name, [""])[-1]

    def instant(name: str) -> int | None:
        if not last(name):
            return None
        try:
            return parse_instant(last(name))
        except ValueError as error:
            problems[name] = str(error)
            return None

    limit = last("limit") or str(DEFAULT_LIMIT)
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        problems["limit"] = "must be a whole number"
        limit = "0"
    tags = tuple(pairs.get("tags", ()))
    if len(tags) > MOST_TAGS:
        problems["tags"] = f"must be at most {MOST_TAGS}"
    query = AnnotationQuery(
        since=instant("from"),
        until=instant("to"),
        tags=tags,
        match_any=last("matchAny") == "true",
        limit=min(int(limit) or DEFAULT_LIMIT, MOST),
        is_of_alerts=last("type") == "alert",
    )
    if problems:
        raise Invalid(summarise(problems), problems)
    return query


def list_deploy_tags(deploy: Deploy) -> list[str]:
    """What Grafana may choose deploys by."""
    facts = ((name, getattr(deploy, field)) for name, field in FACTS.items())
    said = (f"{name}:{fact}" for name, fact in facts if fact)
    return list(dict.fromkeys(["deploy", *said, *deploy.tags]))


def to_annotation(deploy: Deploy, title: str | None) -> dict[str, Any]:
    """A deploy as `GET /api/annotations` lists it; times in ms."""
    at = deploy.deployed_at
    begin = deploy.started_at if deploy.started_at is not None else at
    shown = f"{deploy.service} {deploy.name} to {deploy.env}"
    return {
        "id": deploy.id,
        "dashboardId": 0,
        "panelId": 0,
        "time": begin // 1000,
        "timeEnd": at // 1000,
        "created": deploy.recorded_at // 1000,
        "updated": deploy.updated_at // 1000,
        "text": f"{shown}: {title}" if title and title != shown else shown,
        "tags": list_deploy_tags(deploy),
        "login": deploy.deployer or "",
        "data": {},
    }


def _find_mark(what: str) -> list[str]:
    """`Event - deploy`: what kind of event it is, as a tag that says it is about deploys."""
    return ["deploy"] if "deploy" in what.lower() else []
