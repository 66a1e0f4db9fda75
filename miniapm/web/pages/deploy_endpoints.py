"""The table of endpoints that a verdict rests on, what matters first."""

from dataclasses import dataclass
from typing import NamedTuple

from miniapm.domain.impact.evidence import tell_us
from miniapm.domain.impact.values import Change, EndpointImpact, Impact
from miniapm.domain.impact.words import VERDICT_WORDS
from miniapm.domain.percents import tell_change, tell_share
from miniapm.web.charts import NO_VALUE
from miniapm.web.verdicts import VERDICT_CLASSES

MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Move:
    """A figure before and after, told; `css` is the verdict on it, "" where it did not change."""

    before: str
    after: str
    by: str
    css: str


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint, told. `p50`, `p95` and `failed` are None where they could not be measured."""

    id: int
    name: str
    css: str
    word: str
    requests_before: int
    requests_after: int
    p50: Move | None
    p95: Move | None
    failed: Move | None
    smallest: str
    note: str


class EndpointRows(NamedTuple):
    """`more` are left out; `unjudged` tells how many could not be judged."""

    rows: tuple[EndpointRow, ...]
    more: int
    unjudged: str


def tell_endpoints(impact: Impact) -> EndpointRows:
    found = impact.endpoints
    unknown = [one for one in found if one.verdict == "not_enough_data"]
    unjudged = ""
    if unknown:
        share = sum(one.share for one in unknown)
        unjudged = (
            f"{len(unknown):,} of {len(found):,} could not be judged, with {tell_share(share)} of "
            "the requests; each row says why."
        )
    rows = tuple(_tell(one) for one in found[:MOST_ROWS])
    return EndpointRows(rows, len(found) - len(rows), unjudged)


def _tell(one: EndpointImpact) -> EndpointRow:
    return EndpointRow(
        id=one.endpoint_id,
        name=one.name,
        css=VERDICT_CLASSES[one.verdict],
        word=VERDICT_WORDS[one.verdict],
        requests_before=one.requests_before,
        requests_after=one.requests_after,
        p50=_tell_move(one.find_change("p50")),
        p95=_tell_move(one.find_change("p95")),
        failed=_tell_move(one.find_change("error_rate")),
        smallest=_tell_smallest(one),
        note=_tell_note(one),
    )


def _tell_move(change: Change | None) -> Move | None:
    if change is None:
        return None
    is_change = change.verdict in ("regressed", "improved")
    css = VERDICT_CLASSES[change.verdict] if is_change else ""
    if change.metric == "error_rate":
        return Move(tell_share(change.before), tell_share(change.after), "", css)
    by = tell_change(change.after / change.before - 1) if change.before else ""
    return Move(tell_us(change.before), tell_us(change.after), by, css)


def _tell_smallest(one: EndpointImpact) -> str:
    smallest = one.smallest_visible_change
    return NO_VALUE if smallest is None else tell_change(smallest)


def _tell_note(one: EndpointImpact) -> str:
    notes = [one.note] * bool(one.note)
    if one.same_time:
        notes.append("old and new version compared at the same time")
    if one.is_learning and one.changes:
        notes.append("learning")
    if not one.counts and not one.note:
        notes.append("too little traffic to decide")
    return "; ".join(notes)
