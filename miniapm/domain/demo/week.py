"""The shop's week, told step by step: all that a server would have been sent."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import msgspec

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.demo.announcing import announce, name_release
from miniapm.domain.demo.decisions import Decision, find_decisions
from miniapm.domain.demo.effects import Conduct, find_conduct
from miniapm.domain.demo.faults import CALM, UNKNOWN_HOST
from miniapm.domain.demo.requests import Tape, draw_count, find_shares, make_rollup
from miniapm.domain.demo.season import draw_swings, list_traffic
from miniapm.domain.demo.shop import ENDPOINTS
from miniapm.domain.demo.steps import Span, cut_steps, find_close_ups, find_traced_share
from miniapm.domain.demo.story import WEEK, list_deploys
from miniapm.domain.demo.traces import Request, TraceWriter
from miniapm.domain.demo.values import LANES, PRODUCTION, STAGING, Endpoint, Fault, Lane
from miniapm.domain.deploys.values import Announcement
from miniapm.domain.rollups import Rollup
from miniapm.domain.spans.values import ReleaseName

SEED = 3
_STRANGERS = 0.7
"""Requests an hour that name a host that is none of ours."""


class CountedMinute(NamedTuple):
    """Requests that no span tells of, counted."""

    release: ReleaseName
    endpoint: str
    started_at: int
    rollup: Rollup


class Step(NamedTuple):
    """What came until `until` (µs): deploys, OTLP bodies, minutes, errors as JSON bodies, and what
    people said of errors."""

    until: int
    announcements: list[Announcement]
    bodies: list[bytes]
    minutes: list[CountedMinute]
    errors: list[bytes]
    decisions: list[Decision]


def tell_week(project_id: int, now: int) -> Iterator[Step]:
    """The week before `now` (µs), which is taken as a whole minute; the same for the same minute of
    an hour."""
    return _Week(project_id, now - now % MINUTE).tell()


class _Minute(NamedTuple):
    """A minute of a lane: before now in µs, who serves, which share is told in spans."""

    before: int
    release: ReleaseName
    traffic: float
    traced: float


class _Week:
    def __init__(self, project_id: int, now: int) -> None:
        self._project_id = project_id
        self._now = now
        self._rng = Random(SEED)  # noqa: S311 - a play, not a secret
        self._deploys = list_deploys()
        self._tapes = {e.name: Tape(self._rng, e.spread) for e in ENDPOINTS}
        self._traffic = {env: list_traffic(env) for env in (PRODUCTION, STAGING)}
        self._swings = {
            e.name: draw_swings(self._rng, self._traffic[PRODUCTION]) for e in ENDPOINTS
        }
        self._close_ups = find_close_ups(self._deploys)
        self._live = {
            lane: [d for d in self._deploys if d.lane == lane and d.status == "succeeded"]
            for lane in LANES
        }
        # dice of their own: where steps end must not change what happens in them
        self._writer = TraceWriter(Random(SEED))  # noqa: S311
        self._announcing = Random(SEED)  # noqa: S311
        self._bodies: list[bytes] = []
        self._minutes: list[CountedMinute] = []
        self._errors: list[dict[str, object]] = []

    def tell(self) -> Iterator[Step]:
        for span in cut_steps(self._deploys, self._now % HOUR):
            for before in range(span.since, span.until, MINUTE):
                for lane in LANES:
                    self._serve_lane(lane, before)
                if self._writer.is_full:
                    self._bodies += self._writer.take()
            self._bodies += self._writer.take()
            yield self._finish(span)

    def _finish(self, span: Span) -> Step:
        announcements = [
            announce(deploy, self._project_id, self._now, self._announcing)
            for deploy in self._deploys
            if deploy.is_announced and span.since <= deploy.at < span.until
        ]
        errors = [msgspec.json.encode({"errors": self._errors})] if self._errors else []
        step = Step(
            self._now + span.until,
            announcements,
            self._bodies,
            self._minutes,
            errors,
            find_decisions(span),
        )
        self._bodies, self._minutes, self._errors = [], [], []
        return step

    def _serve_lane(self, lane: Lane, before: int) -> None:
        traffic = self._traffic[lane.env][before // MINUTE]
        if not traffic:
            return
        live = self._live[lane]
        while len(live) > 1 and live[1].at <= before:
            del live[0]
        release = name_release(lane, live[0].version)
        traced = find_traced_share(self._close_ups, lane.env, before)
        minute = _Minute(before, release, traffic, traced)
        for endpoint in ENDPOINTS:
            if endpoint.service == lane.service:
                self._serve(endpoint, minute)
        if lane.service == "web" and lane.env == PRODUCTION:
            if before >= CALM - WEEK and self._rng.random() < _STRANGERS * MINUTE / HOUR:
                self._report(UNKNOWN_HOST, minute, "/")

    def _serve(self, endpoint: Endpoint, minute: _Minute) -> None:
        count = draw_count(self._rng, endpoint.rate * minute.traffic)
        if not count:
            return
        conduct = find_conduct(endpoint, minute.release.version)
        tape = self._tapes[endpoint.name]
        part = tape.draw(count)
        swing = self._swings[endpoint.name][minute.before // MINUTE]
        median_us = endpoint.median_us * conduct.factor * swing
        is_calm = minute.before < CALM - WEEK
        failing = {} if is_calm else self._draw_faults(conduct, count)
        traced = min(count, int(count * minute.traced + self._rng.random()))
        for place in range(traced):
            self._trace(
                endpoint, conduct, minute, tape.factors[part[place]] * median_us,
                failing.get(place),
            )  # fmt: skip
        untraced = [fault for place, fault in failing.items() if place >= traced]
        for fault in untraced:
            self._report(fault, minute, endpoint.path)
        if traced < count:
            rollup = make_rollup(
                tape, part[traced:], median_us, find_shares(conduct.calls), len(untraced)
            )
            started_at = self._now + minute.before
            self._minutes.append(CountedMinute(minute.release, endpoint.name, started_at, rollup))

    def _draw_faults(self, conduct: Conduct, count: int) -> dict[int, Fault]:
        """Which of the requests of a minute fail, by their place."""
        return {
            self._rng.randrange(count): fault
            for share, fault in conduct.faults
            for _ in range(min(count, draw_count(self._rng, count * share)))
        }

    def _trace(
        self,
        endpoint: Endpoint,
        conduct: Conduct,
        minute: _Minute,
        duration_us: float,
        fault: Fault | None,
    ) -> None:
        at = self._now + minute.before + int(self._rng.random() * MINUTE)
        # none may end after now
        took = min(int(duration_us), self._now - at)
        request = Request(endpoint, conduct.calls, at, took, fault)
        self._writer.add(minute.release, request)

    def _report(self, fault: Fault, minute: _Minute, path: str) -> None:
        at = self._now + minute.before + int(self._rng.random() * MINUTE)
        customer = self._rng.randrange(4000)
        reported: dict[str, object] = {
            "exception_class": fault.exception_class,
            "message": fault.message,
            "backtrace": fault.stacktrace,
            "service": minute.release.service,
            "env": minute.release.env,
            "version": minute.release.version,
            "git_sha": minute.release.revision,
            "timestamp": at,
            "user_id": f"customer-{customer}",
            "params": {"path": path.replace("{}", str(customer))},
        }
        if fault.lines:
            middle = len(fault.lines) // 2
            reported["source_context"] = {
                "file": fault.file,
                "lineno": fault.lineno,
                "pre_context": fault.lines[:middle],
                "context_line": fault.lines[middle],
                "post_context": fault.lines[middle + 1 :],
            }
        self._errors.append(reported)
