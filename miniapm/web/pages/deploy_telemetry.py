"""What telemetry tells of a deploy: when its version was first seen, which versions served around
it, and what still serves of the others."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.ranges import TimeRange
from miniapm.storage.deploys.traffic import Traffic
from miniapm.storage.releases import Release
from miniapm.web.charts import tell_part
from miniapm.web.pages.deploy_words import tell_version
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_clock, tell_duration, tell_instant, tell_short

# versions with a colour of their own; the rest is one
_COLOURED = 5
_STEP_WIDTH = 10
_HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Bar:
    """The part of one version in one step, in the units of the drawing."""

    css: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Version:
    """A version that served in the time shown. `css` is its colour."""

    css: str
    name: str
    commit: str
    is_own: bool
    count: int
    share: str
    first_seen: Markup
    last_seen: Markup


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step with traffic, as the table has it: the share of each column, and all requests."""

    at: Markup
    shares: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Late:
    """A version that still served ten minutes after the deploy or later."""

    name: str
    share: str
    count: int
    last_seen: Markup


@dataclass(frozen=True, slots=True)
class TelemetryView:
    """The section; `seen` says when the version was first seen, and `brought_by` which other deploy
    brought it, where this one did not. `names` head the columns of `rows`;
    `deploy_x` is where the deploy stands in the drawing, `width` how wide that is."""

    seen: Markup | str
    brought_by: Deploy | None
    is_named: bool
    versions: tuple[Version, ...]
    names: tuple[str, ...]
    bars: tuple[Bar, ...]
    rows: tuple[StepRow, ...]
    late: tuple[Late, ...]
    width: int
    deploy_x: float
    since: Markup
    until: Markup


def tell_telemetry(deploy: Deploy, traffic: Traffic | None, zone: Zone) -> TelemetryView | None:
    """None where there is no telemetry of the service in the env."""
    if traffic is None:
        return None
    span = traffic.time_range
    served = _order(traffic)
    groups = [[release.id] for release in served[:_COLOURED]]
    names = [tell_version(release) for release in served[:_COLOURED]]
    if served[_COLOURED:]:
        groups.append([release.id for release in served[_COLOURED:]])
        names.append(f"{len(served) - _COLOURED} others")
    columns = [_add_up(traffic, ids) for ids in groups]
    totals = [sum(column[step] for column in columns) for step in range(len(span.starts))]
    colours = _colour(served, traffic)
    return TelemetryView(
        seen="" if traffic.brought_by else _tell_seen(deploy, traffic, zone),
        brought_by=traffic.brought_by,
        is_named=traffic.is_named,
        versions=tuple(
            _tell_version(release, colours[release.id], traffic, sum(totals), zone)
            for release in served
        ),
        names=tuple(names),
        bars=tuple(_draw(columns, totals, [colours[ids[0]] for ids in groups])),
        rows=tuple(_tell_rows(columns, totals, span, zone)),
        late=_tell_late(traffic, zone) if deploy.status == "succeeded" and traffic.own else (),
        width=len(span.starts) * _STEP_WIDTH,
        deploy_x=(deploy.deployed_at - span.since) / span.step_us * _STEP_WIDTH,
        since=tell_short(span.since, zone),
        until=tell_short(span.until, zone),
    )


def _order(traffic: Traffic) -> list[Release]:
    """Those that served in the time shown: its own first, then the busiest."""
    served = [release for release in traffic.releases if any(traffic.counts.get(release.id, ()))]
    return sorted(served, key=lambda r: (r.id not in traffic.own, -sum(traffic.counts[r.id]), r.id))


def _colour(served: list[Release], traffic: Traffic) -> dict[int, str]:
    """By release: `own`, or one of the other colours in turn."""
    others = [release.id for release in served if release.id not in traffic.own]
    colours = {release_id: f"v{min(i, _COLOURED) + 1}" for i, release_id in enumerate(others)}
    return {release.id: colours.get(release.id, "own") for release in served}


def _add_up(traffic: Traffic, ids: Iterable[int]) -> list[int]:
    return [sum(step) for step in zip(*(traffic.counts[one] for one in ids), strict=True)]


def _draw(columns: list[list[int]], totals: list[int], colours: list[str]) -> Iterable[Bar]:
    for step, total in enumerate(totals):
        below = 0
        for column, css in zip(columns, colours, strict=True):
            if column[step]:
                top = _HEIGHT - (below + column[step]) / total * _HEIGHT
                height = column[step] / total * _HEIGHT
                yield Bar(css, step * _STEP_WIDTH, round(top, 2), round(height, 2))
                below += column[step]


def _tell_rows(
    columns: list[list[int]], totals: list[int], span: TimeRange, zone: Zone
) -> Iterable[StepRow]:
    for step, at in enumerate(span.starts):
        if totals[step]:
            shares = tuple(tell_part(column[step], totals[step]) for column in columns)
            yield StepRow(tell_clock(at, zone), shares, totals[step])


def _tell_version(release: Release, css: str, traffic: Traffic, total: int, zone: Zone) -> Version:
    count = sum(traffic.counts[release.id])
    return Version(
        css=css,
        name=tell_version(release),
        commit=release.revision[:7] if release.version else "",
        is_own=release.id in traffic.own,
        count=count,
        share=tell_part(count, total),
        first_seen=tell_instant(release.first_seen_at, zone),
        last_seen=tell_instant(release.last_seen_at, zone),
    )


def _tell_late(traffic: Traffic, zone: Zone) -> tuple[Late, ...]:
    found = sorted(traffic.stragglers, key=lambda straggler: -straggler.count)
    return tuple(
        Late(
            name=tell_version(straggler.release),
            share=tell_part(straggler.count, traffic.late_count),
            count=straggler.count,
            last_seen=tell_instant(straggler.release.last_seen_at, zone),
        )
        for straggler in found
    )


def _tell_seen(deploy: Deploy, traffic: Traffic, zone: Zone) -> Markup | str:
    at = traffic.first_seen_at
    if at is None:
        return "No telemetry of this version yet."
    seen = tell_instant(at, zone)
    if deploy.is_observed:
        return Markup("First seen {}. Nobody announced it.").format(seen)
    if traffic.served_since is not None:
        since = tell_instant(traffic.served_since, zone)
        return Markup(
            "This version was first seen {}; after this deploy it serves since {}."
        ).format(seen, since)
    delay = at - deploy.deployed_at
    if abs(delay) < 1_000_000:
        return Markup("First seen {}, as it was announced.").format(seen)
    word = "after" if delay > 0 else "before"
    return Markup("First seen {}, {} {} the announced time.").format(
        seen, tell_duration(abs(delay)), word
    )
