"""What stands above the waterfall of a trace: the request, its services, and what stands out."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.hints import Hint
from miniapm.domain.spans.trees import Trace
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.releases import Endpoint, Release
from miniapm.web.charts import tell_ms
from miniapm.web.pages.deploy_words import tell_release
from miniapm.web.pages.entry_rows import tell_outcome
from miniapm.web.pages.trace_rows import find_colours
from miniapm.web.stored_traces import LoadedTrace


class ServiceLine(NamedTuple):
    """A service of the trace; `deploy_id` is None where its release is not known to be one."""

    name: str
    colour: int
    env: str
    version: str
    deploy_id: int | None
    spans: int


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


def tell_facts(
    loaded: LoadedTrace, trace: Trace, endpoints: Mapping[int, Endpoint], scrubber: Scrubber
) -> EntryFacts:
    """By the entry that is the first span; without one, by the span. One of them is there."""
    entry = loaded.entry or next(iter(loaded.entries), None)
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
    endpoint = endpoints.get(entry.endpoint_id)
    return EntryFacts(
        endpoint=endpoint.name if endpoint else "unknown",
        endpoint_id=endpoint.id if endpoint else None,
        status=tell_outcome(entry),
        failed=entry.failed,
        at=entry.started_at,
        duration=tell_ms(entry.duration_us),
    )


def tell_services(trace: Trace, releases: Mapping[ReleaseName, Release]) -> tuple[ServiceLine, ...]:
    """The releases of the trace, in the order in which they appear; without spans none."""
    counts = Counter(node.span.source.release for node in trace.nodes)
    colours = find_colours(trace)
    lines = []
    for name, spans in counts.items():
        release = releases.get(name)
        lines.append(
            ServiceLine(
                name=name.service,
                colour=colours[name.service],
                env=name.env,
                version=tell_release(name.version, name.revision),
                deploy_id=release.deploy_id if release else None,
                spans=spans,
            )
        )
    return tuple(lines)


def tell_hint(hint: Hint, scrubber: Scrubber) -> HintLine:
    """A hint as a line; secrets in it are masked."""
    return HintLine(
        calls=hint.calls,
        shape=scrubber.scrub_text(hint.shape),
        took=tell_ms(hint.duration_us),
        service=hint.service,
        span_id=hint.first.span_id,
        words="one query a row (N+1)" if hint.kind == "n_plus_one" else "the same again and again",
    )
