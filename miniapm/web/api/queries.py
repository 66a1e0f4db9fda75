"""Query parameters of lists: a struct says which there are, and every bad one is named."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.instants import parse_instant_or_date
from miniapm.domain.names import MOST_GUESSES, suggest
from miniapm.exceptions import Invalid
from miniapm.printable import printable
from miniapm.storage.deploys.find import Cursor
from miniapm.storage.projects import Project
from miniapm.web.auth import Caller, find_visible_projects
from miniapm.web.cursors import decode_cursor

Problems = dict[str, str]
Query = TypeVar("Query", bound=msgspec.Struct)
T = TypeVar("T")

Slug = Annotated[
    str, Meta(description="Slug, for a browser that may see several projects; a key has one")
]
Name = Annotated[str, Meta(max_length=100, extra={"rule": "must be at most 100 characters"})]
Words = Annotated[str, Meta(max_length=200, extra={"rule": "must be at most 200 characters"})]
Since = Annotated[str, Meta(description="From then on: date, ISO 8601 date and time, or Unix time")]
Until = Annotated[str, Meta(description="Before then: date, ISO 8601 date and time, or Unix time")]


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What every list takes."""

    project: Slug | None = None
    env: Name | None = None
    service: Name | None = None
    since: Since | None = None
    until: Until | None = None
    limit: Annotated[
        int, Meta(ge=1, le=500, extra={"rule": "must be a whole number from 1 to 500"})
    ] = 50
    cursor: Annotated[str, Meta(description="`next_cursor` of the page before")] | None = None


def read_query(request: Request, query_type: type[Query], problems: Problems) -> Query:
    """The parameters of the call; each one unknown, repeated or bad goes into `problems`.

    A misspelt filter would otherwise answer with everything.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(query_type)}
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for name, text in request.query_params.multi_items():
        if name not in fields:
            shown = printable(name)
            guess = suggest(shown, fields) if len(problems) < MOST_GUESSES else ""
            problems[shown] = f"is no parameter here{guess}"
        elif name in seen:
            problems[name] = "is given twice"
        elif text:
            try:
                # a lax conversion takes "null" for None, which would mean every deploy
                if (value := msgspec.convert(text, fields[name].type, strict=False)) is None:
                    raise msgspec.ValidationError
                values[fields[name].name] = value
            except msgspec.ValidationError:
                problems[name] = _find_rule(fields[name].type)
        seen.add(name)
    return query_type(**values)


def _find_rule(annotation: Any) -> str:
    """What the type of a parameter says of itself when a value does not fit."""
    for part in (annotation, *getattr(annotation, "__args__", ())):
        for meta in getattr(part, "__metadata__", ()):
            if meta.extra and "rule" in meta.extra:
                return str(meta.extra["rule"])
    raise TypeError(f"{annotation} states no rule")


def read_since(query: ListQuery, problems: Problems) -> int | None:
    """The first instant wanted, in µs; a date begins in UTC."""
    return parse_with("since", query.since, parse_instant_or_date, problems)


def read_until(query: ListQuery, problems: Problems) -> int | None:
    """The first instant that is wanted no more, in µs; a date begins in UTC."""
    return parse_with("until", query.until, parse_instant_or_date, problems)


def read_cursor(query: ListQuery, problems: Problems) -> Cursor | None:
    return parse_with("cursor", query.cursor, decode_cursor, problems)


def parse_with(
    name: str, text: str | None, parse: Callable[[str], T], problems: Problems
) -> T | None:
    """What `parse` makes of `text`; the ValueError that it raises goes into `problems`."""
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        problems[name] = str(error)
        return None


async def choose_project(caller: Caller, problems: Problems) -> Project:
    """The project named, the key's, or the only one that the browser may see.

    Invalid when there are problems, this one among them.
    """
    project = caller.project
    if project is None:
        visible = await find_visible_projects(caller)
        if len(visible) == 1:
            [project] = visible
        else:
            named = ", ".join(p.slug for p in visible) or "none that you may see"
            problems["project"] = f"must name a project; there is {named}"
    if problems or project is None:
        raise Invalid(summarise(problems), problems)
    return project
