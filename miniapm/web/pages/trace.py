"""The page of one trace: where its time went, span by span, and what stands out in it."""

import asyncio
from collections import Counter
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
from miniapm.web.pages.deploy_words import is_production
from miniapm.web.pages.span_panel import Panel, make_panel
from miniapm.web.pages.trace_rows import SpanRow, find_colours, tell_rows
from miniapm.web.pages.traces import tell_status
from miniapm.web.render import render
from miniapm.web.stored_traces import LoadedTrace, load_trace, read_trace_id

MOST_ROWS = 300
_MOST_EXCEPTIONS = 20
_MOST_SERVICES = 12
_TICKS = 4


class ServiceLine(NamedTuple):
    """A service of the trace; `deploy_id` is None where its release is not known to be one."""

    name: str
    colour: int
    env: str
    is_production: bool
    version: str
    deploy_id: int | None
    spans: int


class ExceptionLine(NamedTuple):
    """An exception in the trace; `group_id` is None where its error is not stored."""

    span_id: str
    exception_class: str
    message: str
    group_id: int | None


class HintLine(NamedTuple):
    """A hint, told; `words` say what it is."""

    calls: int
    shape: str
    took: str
    service: str
    span_id: str
    words: str


class EntryFacts(NamedTuple):
    """What is known of the request itself."""

    endpoint: str
    endpoint_id: int | None
    status: str
    failed: bool
    at: int
    duration: str


@dataclass(frozen=True, slots=True)
class TraceView:
    """`at` is the entry that hints where the trace lies. `panel` is None where no span is left.
    `left_out` spans are in no row and below none. `elsewhere`: only what arrived near the hint was
    looked through. `repeated` spans came twice."""

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
    kept_for: str


async def get_trace_page(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    query = request.query_params
    trace_id = read_trace_id(request.path_params["trace_id"])
    loaded = await load_trace(context, project.id, trace_id, parse_id(query.get("at", "")))
    fold = query.get("fold") != "0"
    digested = await asyncio.to_thread(
        _digest, loaded, query.get("span", ""), fold, context.scrubber
    )
    known = await context.database.read(_find_known, project.id, digested.exceptions)
    view = _make_view(loaded, digested, known, context)
    return render(request, caller, "trace.html", view)


class _Digested(NamedTuple):
    trace: Trace
    waterfall: Waterfall
    hints: list[Hint]
    exceptions: list[Occurrence]
    chosen: Node | None
    alike: list[Node]
    is_unfolded: bool
    can_fold: bool


def _digest(loaded: LoadedTrace, span_id: str, fold: bool, scrubber: Scrubber) -> _Digested:
    trace = build_trace(loaded.spans)
    waterfall = lay_out(trace, MOST_ROWS, fold=fold)
    exceptions = _find_exceptions(trace, scrubber)
    wanted = span_id or (exceptions[0].span_id if exceptions else "")
    chosen = next((node for node in trace.nodes if node.span.span_id == wanted), None)
    if chosen is None and trace.nodes:
        chosen = trace.nodes[0]
    row = next((row for row in waterfall.rows if chosen in row.members), None)
    return _Digested(
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
    loaded: LoadedTrace, digested: _Digested, known: _Known, context: Context
) -> TraceView:
    trace, chosen, scrubber = digested.trace, digested.chosen, context.scrubber
    services = _tell_services(trace, known)
    return TraceView(
        trace_id=loaded.trace_id.hex(),
        at="" if loaded.entry is None else str(loaded.entry.id),
        facts=_tell_facts(loaded, trace, known, scrubber),
        services=services[:_MOST_SERVICES],
        more_services=max(0, len(services) - _MOST_SERVICES),
        hints=tuple(_tell_hint(hint, scrubber) for hint in digested.hints),
        exceptions=tuple(
            ExceptionLine(e.span_id, e.exception_class, e.message, group.id if group else None)
            for e, group in zip(digested.exceptions, known.groups, strict=True)
        ),
        rows=tell_rows(trace, digested.waterfall, chosen, scrubber),
        ticks=tuple(
            tell_ms((trace.end - trace.start) * tick // _TICKS // 1000) if tick else "0"
            for tick in range(_TICKS + 1)
        ),
        panel=make_panel(trace, chosen, digested.alike, scrubber) if chosen else None,
        span_count=len(trace.nodes),
        repeated=trace.repeated,
        left_out=digested.waterfall.left_out,
        is_unfolded=digested.is_unfolded,
        can_fold=digested.can_fold,
        elsewhere=not loaded.is_all and not loaded.is_cut,
        is_cut=loaded.is_cut,
        kept_for=context.config.retention.spans,
    )


def _tell_facts(loaded: LoadedTrace, trace: Trace, known: _Known, scrubber: Scrubber) -> EntryFacts:
    """By the entry that is the first span; without one, by the span itself."""
    entry = loaded.entry
    if trace.nodes:
        began_at = trace.nodes[0].span.started_ns // 1000
        entry = next((e for e in loaded.entries if e.started_at == began_at), None)
    if entry is None:
        span = trace.nodes[0].span
        return EntryFacts(
            endpoint=scrubber.scrub_text(span.name) or "unnamed",
            endpoint_id=None,
            status="failed" if span.failed else "ok",
            failed=span.failed,
            at=trace.start // 1000,
            duration=tell_ms((trace.end - trace.start) // 1000),
        )
    endpoint = known.endpoints.get(entry.endpoint_id)
    return EntryFacts(
        endpoint=endpoint.name if endpoint else "unknown",
        endpoint_id=endpoint.id if endpoint else None,
        status=tell_status(entry),
        failed=entry.failed,
        at=entry.started_at,
        duration=tell_ms(entry.duration_us),
    )


def _tell_services(trace: Trace, known: _Known) -> tuple[ServiceLine, ...]:
    """The releases of the trace, in the order in which they appear; without spans none."""
    counts = Counter(node.span.source.release for node in trace.nodes)
    colours = find_colours(trace)
    lines = []
    for name, spans in counts.items():
        release = known.releases.get(name)
        lines.append(
            ServiceLine(
                name=name.service,
                colour=colours[name.service],
                env=name.env,
                is_production=is_production(name.env),
                version=name.version or name.revision[:7],
                deploy_id=release.deploy_id if release else None,
                spans=spans,
            )
        )
    return tuple(lines)


def _tell_hint(hint: Hint, scrubber: Scrubber) -> HintLine:
    return HintLine(
        calls=hint.calls,
        shape=scrubber.scrub_text(hint.shape),
        took=tell_ms(hint.duration_us),
        service=hint.service,
        span_id=hint.first.span_id,
        words="one query a row (N+1)" if hint.kind == "n_plus_one" else "the same again and again",
    )
