"""The page of one trace: where its time went, span by span, and what stands out in it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.errors.values import Group, Occurrence
from miniapm.domain.ids import parse_id
from miniapm.domain.otlp.stored import may_hold_exception, read_details
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.hints import Hint, find_hints
from miniapm.domain.spans.trees import Node, Trace, build_trace
from miniapm.domain.spans.values import ReleaseName
from miniapm.domain.spans.waterfall import Waterfall, lay_out
from miniapm.storage.connection import Connection
from miniapm.storage.errors.groups import find_group
from miniapm.storage.releases import Endpoint, Release, find_endpoints, find_releases
from miniapm.web.auth import Caller
from miniapm.web.charts import tell_ms
from miniapm.web.context import Context
from miniapm.web.pages.span_panel import Panel, make_panel
from miniapm.web.pages.trace_facts import (
    EntryFacts,
    HintLine,
    ServiceLine,
    tell_facts,
    tell_hint,
    tell_services,
)
from miniapm.web.pages.trace_rows import SpanRow, tell_rows
from miniapm.web.render import render
from miniapm.web.stored_traces import LoadedTrace, load_trace, read_trace_id

MOST_ROWS = 300
_MOST_EXCEPTIONS = 20
_MOST_SERVICES = 12
_TICKS = 4


class ExceptionLine(NamedTuple):
    """An exception in the trace; `group_id` is None where its error is not stored."""

    span_id: str
    exception_class: str
    message: str
    group_id: int | None


@dataclass(frozen=True, slots=True)
class TraceView:
    """`at` is the entry that hints where the trace lies. `panel` is None where no span is left.
    `left_out` spans are in no row and below none. `elsewhere`: something is missing that may have
    arrived far from the hint. `repeated` spans came twice. `looked` and `unseen` are as in
    `LoadedTrace`."""

    trace_id: str
    at: str
    facts: EntryFacts
    services: tuple[ServiceLine, ...]
    more_services: int
    hints: tuple[HintLine, ...]
    exceptions: tuple[ExceptionLine, ...]
    rows: tuple[SpanRow, ...]
    ticks: tuple[str, ...]
    panel: Panel | None
    span_count: int
    repeated: int
    left_out: int
    is_unfolded: bool
    can_fold: bool
    elsewhere: bool
    is_cut: bool
    is_unreadable: bool
    looked: int
    unseen: int
    kept_for: str


async def get_trace_page(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    query = request.query_params
    trace_id = read_trace_id(request.path_params["trace_id"])
    loaded = await load_trace(context, project.id, trace_id, parse_id(query.get("at", "")))
    fold = query.get("fold") != "0"
    analysis = await asyncio.to_thread(
        _analyse, loaded, query.get("span", ""), fold, context.scrubber
    )
    known = await context.database.read(_find_known, project.id, analysis.exceptions)
    view = _make_view(loaded, analysis, known, context)
    return render(request, caller, "trace.html", view)


class _Analysis(NamedTuple):
    trace: Trace
    waterfall: Waterfall
    hints: list[Hint]
    exceptions: list[Occurrence]
    chosen: Node | None
    alike: list[Node]
    is_unfolded: bool
    can_fold: bool


def _analyse(loaded: LoadedTrace, span_id: str, fold: bool, scrubber: Scrubber) -> _Analysis:
    trace = build_trace(loaded.spans)
    waterfall = lay_out(trace, MOST_ROWS, fold=fold)
    exceptions = _find_exceptions(trace, scrubber)
    wanted = span_id or (exceptions[0].span_id if exceptions else "")
    chosen = next((node for node in trace.nodes if node.span.span_id == wanted), None)
    if chosen is None and trace.nodes:
        chosen = trace.nodes[0]
    row = next((row for row in waterfall.rows if chosen in row.members), None)
    return _Analysis(
        trace,
        waterfall,
        find_hints(trace),
        exceptions,
        chosen,
        row.members if row else [],
        is_unfolded=not fold,
        can_fold=any(len(row.members) > 1 for row in waterfall.rows),
    )


def _find_exceptions(trace: Trace, scrubber: Scrubber) -> list[Occurrence]:
    """Those of the trace; of one that rises through several spans the first report."""
    found: dict[tuple[str, str], Occurrence] = {}
    holders = (node.span for node in trace.nodes if may_hold_exception(node.span))
    for _, span in zip(range(_MOST_EXCEPTIONS), holders, strict=False):
        for occurrence in read_details(span, scrubber).exceptions[:_MOST_EXCEPTIONS]:
            key = occurrence.exception_class, occurrence.message
            known = found.get(key)
            if known is None or occurrence.happened_at < known.happened_at:
                found[key] = occurrence
    return list(found.values())[:_MOST_EXCEPTIONS]


class _Known(NamedTuple):
    """What the database knows of what stands in a trace; groups in the order of exceptions."""

    groups: list[Group | None]
    releases: Mapping[ReleaseName, Release]
    endpoints: Mapping[int, Endpoint]


def _find_known(connection: Connection, project_id: int, exceptions: list[Occurrence]) -> _Known:
    releases = find_releases(connection, project_id)
    return _Known(
        [find_group(connection, project_id, e.service, e.fingerprint) for e in exceptions],
        {ReleaseName(r.service, r.env, r.version, r.revision): r for r in releases},
        find_endpoints(connection, project_id),
    )


def _make_view(
    loaded: LoadedTrace, analysis: _Analysis, known: _Known, context: Context
) -> TraceView:
    trace, chosen, scrubber = analysis.trace, analysis.chosen, context.scrubber
    services = tell_services(trace, known.releases)
    return TraceView(
        trace_id=loaded.trace_id.hex(),
        at="" if loaded.entry is None else str(loaded.entry.id),
        facts=tell_facts(loaded, trace, known.endpoints, scrubber),
        services=services[:_MOST_SERVICES],
        more_services=max(0, len(services) - _MOST_SERVICES),
        hints=tuple(tell_hint(hint, scrubber) for hint in analysis.hints),
        exceptions=tuple(
            ExceptionLine(e.span_id, e.exception_class, e.message, group.id if group else None)
            for e, group in zip(analysis.exceptions, known.groups, strict=True)
        ),
        rows=tell_rows(trace, analysis.waterfall, chosen, scrubber),
        ticks=tuple(
            tell_ms((trace.end - trace.start) * tick // _TICKS // 1000) if tick else "0"
            for tick in range(_TICKS + 1)
        ),
        panel=make_panel(trace, chosen, analysis.alike, scrubber) if chosen else None,
        span_count=len(trace.nodes),
        repeated=trace.repeated,
        left_out=analysis.waterfall.left_out,
        is_unfolded=analysis.is_unfolded,
        can_fold=analysis.can_fold,
        elsewhere=trace.lacks_parents and not loaded.is_all and not loaded.is_cut,
        is_cut=loaded.is_cut,
        is_unreadable=loaded.is_unreadable,
        looked=loaded.looked,
        unseen=loaded.unseen,
        kept_for=context.config.retention.spans,
    )
