"""Verdicts that tests begin from, as if the rule had come to them."""

from typing import Any

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.minutes import ImpactMinutes, MinuteFigures, Strip
from miniapm.domain.impact.values import (
    Change,
    EndpointImpact,
    ErrorImpact,
    Impact,
    Look,
    Verdict,
    Window,
)
from miniapm.domain.impact.verdicts import Standing
from miniapm.domain.impact.words import tell_reasons, tell_sentence
from miniapm.storage.impact.verdicts import Judged, store_verdict
from miniapm.storage.projects import get_project
from tests.conftest import Server
from tests.factories import START


def make_change(**fields: Any) -> Change:
    """p95 212 to 301 ms in four of five blocks, clearly a change."""
    defaults: dict[str, Any] = {
        "metric": "p95",
        "verdict": "regressed",
        "before": 212_000.0,
        "after": 301_000.0,
        "shift": 0.35,
        "typical": 0.01,
        "usual": 0.12,
        "score": 2.8,
        "limit": 2.0,
        "moments": 2016,
        "fired": 11,
        "blocks": (298_000.0, 301_000.0, 310_000.0, 230_000.0, 305_000.0),
        "shifted": 4,
        "smallest_visible_change": 0.28,
    }
    return Change(**{**defaults, **fields})


def make_endpoint(**fields: Any) -> EndpointImpact:
    """Endpoint 1, `POST /checkout`, regressed; an unchanged one where `verdict` says so."""
    verdict: Verdict = fields.setdefault("verdict", "regressed")
    quiet = {"verdict": "unchanged", "score": 0.3}
    before = fields.pop("p50_us", 80_000.0)
    by = {"regressed": 1.42, "improved": 0.7}.get(verdict, 1.02)
    changes = (
        make_change(metric="p50", before=before, after=before * by, **quiet),
        make_change(before=before * 2.5, after=before * 2.5 * by, verdict=verdict),
        make_change(
            metric="error_rate",
            before=0.001,
            after=0.0012,
            failed_before=6,
            failed_after=7,
            **quiet,
        ),
    )
    known = verdict != "not_enough_data"
    defaults: dict[str, Any] = {
        "endpoint_id": 1,
        "name": "POST /checkout",
        "requests_before": 6_012 if known else 31,
        "requests_after": 5_950 if known else 29,
        "minutes_before": 60,
        "minutes_after": 60,
        "share": 0.1,
        "counts": known,
        "is_learning": False,
        "changes": changes if known else (),
        "smallest_visible_change": 0.18 if known else None,
        "note": "" if known else "only 31 requests before the deploy; it takes 50",
    }
    return EndpointImpact(**{**defaults, **fields})


def make_error(**fields: Any) -> ErrorImpact:
    """A new `CardDeclined`, enough to call the deploy regressed."""
    defaults: dict[str, Any] = {
        "group_id": 7,
        "exception_class": "CardDeclined",
        "message": "the card was declined",
        "culprit": "charge in app/cards.py",
        "is_new": True,
        "count": 12,
        "blocks": 4,
        "counts": True,
    }
    return ErrorImpact(**{**defaults, **fields})


def make_impact(deploy: Deploy, **fields: Any) -> Impact:
    """The final verdict on `deploy`, as its `endpoints` (one, regressed) and `errors` (none) come
    to; `minutes` is the look, None before the first. Sentence and reasons are those of the rule."""
    state = fields.setdefault("state", "final")
    minutes = fields.pop("minutes", None if state in ("pending", "superseded") else 60)
    endpoints = fields.pop("endpoints", (make_endpoint(),))
    errors = fields.pop("errors", ())
    at = deploy.deployed_at
    start = at + -at % MINUTE + 2 * MINUTE
    verdict = fields.setdefault("verdict", _fold(endpoints) if minutes else "not_enough_data")
    learning = fields.setdefault("is_learning", False)
    look = None
    if minutes is not None:
        look = Look(
            minutes=minutes, verdict=verdict, is_learning=learning,
            after=Window(start, start + minutes * MINUTE), endpoints=tuple(endpoints),
            errors=tuple(errors), smallest_visible_change=fields.pop("smallest", 0.18),
        )  # fmt: skip
    following = None if state in ("final", "superseded") else 30 if minutes == 10 else 10
    standing = Standing(state, verdict, look, following)
    confounders = fields.setdefault("confounders", ())
    until = at - at % MINUTE
    defaults: dict[str, Any] = {
        "deploy_id": deploy.id,
        "service": deploy.service,
        "env": deploy.env,
        "at": at,
        "before": Window(until - HOUR, until),
        "after_since": start,
        "next_at": None,
        "computed_at": start + (minutes or 0) * MINUTE + 10_000_000,
        "next_look_at": start + following * MINUTE if following else None,
        "sentence": tell_sentence(deploy.name, standing, fields.pop("since", "")),
        "reasons": tuple(tell_reasons(standing, confounders)),
        "look": look,
        "looks": ((minutes, verdict),) if minutes else (),
        "moments": 2016,
        "fired": 9,
    }
    return Impact(**{**defaults, **fields})


def _fold(endpoints: Any) -> Verdict:
    verdicts = {one.verdict for one in endpoints if one.counts}
    order: tuple[Verdict, ...] = ("regressed", "improved", "unchanged")
    return next((one for one in order if one in verdicts), "not_enough_data")


def make_minutes(impact: Impact, by: float = 1.42, gap: range = range(18, 24)) -> ImpactMinutes:
    """The minutes of the service and of its first endpoints, which became `by` times as slow;
    nothing was served in the minutes of `gap`."""
    since = impact.before.since
    length = (impact.after_since + HOUR - since) // MINUTE
    begun = (impact.at - since) // MINUTE
    names = {0: "All endpoints", **{one.endpoint_id: one.name for one in impact.endpoints[:8]}}

    def draw(endpoint_id: int, name: str) -> MinuteFigures:
        def p50(minute: int) -> int | None:
            if minute in gap:
                return None
            wave = 80_000 + (minute * 7919 + endpoint_id * 31) % 9_000
            return int(wave * (by if minute >= begun else 1))

        figures = [p50(minute) for minute in range(length)]
        return MinuteFigures(
            endpoint_id, name,
            tuple(0 if one is None else 100 for one in figures),
            tuple(0 if one is None else int(m % 17 == 0) for m, one in enumerate(figures)),
            tuple(figures), tuple(one and one * 5 // 2 for one in figures),
        )  # fmt: skip

    return ImpactMinutes(since, tuple(draw(number, name) for number, name in names.items()))


def make_strip(minutes: ImpactMinutes, at: int) -> Strip:
    """The strip of `minutes`: every other of them."""
    whole = minutes.series[0]
    failed = tuple(f / c if c else 0.0 for f, c in zip(whole.failed, whole.counts, strict=True))
    return Strip(minutes.since, at, whole.p95_us[::2], failed[::2])


def add_verdict(
    server: Server,
    deploy: Deploy,
    impact: Impact | None = None,
    *,
    drawn: bool = True,
    **fields: Any,
) -> Impact:
    """Stores a verdict on `deploy` as the job does; `fields` are those of `make_impact`."""
    context = server.running.context
    found = server.run(context.database.read(get_project, "default"))
    fields.setdefault("computed_at", max(server.clock(), deploy.deployed_at, START))
    impact = impact or make_impact(deploy, **fields)
    has_figures = drawn and impact.look is not None
    minutes = make_minutes(impact) if has_figures else None
    strip = make_strip(minutes, impact.at) if minutes else None
    until = impact.look.after.until if impact.look else impact.before.until
    # one that is not looked at again: the job leaves it as it is
    judged = Judged(impact, until, 0, deploy.updated_at, minutes, strip)
    server.run(context.database.write(store_verdict, found.id, judged, context.make_id()))
    return impact
