"""What a page was asked to show: read from its query, written back into every link."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from miniapm.domain.deploys.values import STATUSES
from miniapm.domain.durations import parse_duration
from miniapm.domain.errors.values import STATES
from miniapm.domain.instants import parse_instant
from miniapm.domain.ranges import DEFAULT_RANGE, TimeRange, range_between, range_named
from miniapm.exceptions import Invalid
from miniapm.storage.deploys.find import Cursor, DeployFilter
from miniapm.web.cursors import decode_cursor

MAX_SEARCH = 200
RANGES = (
    ("1h", "1 hour"),
    ("6h", "6 hours"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
)
_KEPT = ("env", "service", "range", "from", "to")


def kept_query(given: Mapping[str, str]) -> str:
    """The filters that stay from page to page: `?env=production&service=shop`, "" for none."""
    kept = {name: given[name] for name in _KEPT if given.get(name)}
    if "range" in kept:
        kept = {name: value for name, value in kept.items() if name not in ("from", "to")}
    return f"?{urlencode(kept)}" if kept else ""


class PageFilter(NamedTuple):
    """The filters as they stand in the address; "" where one is not set. `default_range` does not
    stand there: it is what a page of telemetry shows where the address names no time."""

    env: str = ""
    service: str = ""
    status: str = ""
    tag: str = ""
    q: str = ""
    range: str = ""
    since: str = ""
    until: str = ""
    hidden: str = ""
    state: str = ""
    cursor: str = ""
    default_range: str = DEFAULT_RANGE

    @property
    def is_set(self) -> bool:
        """Whether anything narrows the list; hidden ones are another list."""
        return any(self._replace(hidden="", cursor="", default_range=""))

    @property
    def is_open(self) -> bool:
        """Whether no instants bound the time: it moves on with the clock."""
        return not (self.since or self.until)

    def query(self, **changes: str) -> str:
        """This filter as `?name=value&...` after `changes`; "" when nothing is set.

        The place in the list goes with a change of the filter, unless it is the change.
        """
        changed = self._replace(**{"cursor": "", "default_range": "", **changes})
        pairs = [(_NAMES.get(n, n), v) for n, v in changed._asdict().items() if v]
        return f"?{urlencode(pairs)}" if pairs else ""

    def to_deploys(self, now: int) -> DeployFilter:
        """What storage looks for. Invalid names what cannot be."""
        since, until = self._times(now)
        return DeployFilter(
            env=self.env or None,
            service=self.service or None,
            status=self.status or None,
            tag=self.tag or None,
            query=self.q or None,
            since=since,
            until=until,
            hidden=bool(self.hidden),
        )

    def _times(self, now: int) -> tuple[int | None, int | None]:
        if self.range:
            return now - parse_duration(self.range), None
        return (
            parse_instant(self.since) if self.since else None,
            parse_instant(self.until) if self.until else None,
        )

    def to_time_range(self, now: int) -> TimeRange:
        """What a page of telemetry shows; without a range or times, the default range.

        Invalid when it ends before it begins.
        """
        since, until = self._times(now)
        if self.range or (since is None and until is None):
            return range_named(self.range or self.default_range, now)
        try:
            return range_between(since, until, now)
        except ValueError as error:
            raise _make_refusal({"from": str(error)}) from None

    def as_shown(self) -> "PageFilter":
        """With the range that a page of telemetry shows where none is chosen, for the menus."""
        return self._replace(range=self.range or self.default_range) if self.is_open else self

    def to_cursor(self) -> Cursor | None:
        """The place after which the page begins."""
        return decode_cursor(self.cursor) if self.cursor else None


_GIVEN = tuple(name for name in PageFilter._fields if name != "default_range")
_NAMES = {"since": "from", "until": "to"}


def refuse_any(problems: Mapping[str, str]) -> None:
    """Invalid where there are problems, by the name that each has in the address."""
    if problems:
        raise _make_refusal(problems)


def _make_refusal(problems: Mapping[str, str]) -> Invalid:
    name, reason = next(iter(problems.items()))
    return Invalid(f"In the address, {name} {reason}.", dict(problems))


def find_choices(values: Iterable[str], chosen: str) -> tuple[str, ...]:
    """What a menu offers: what there is, and what was asked for even if it is not there."""
    return tuple(sorted({*values, chosen} - {""}))


def find_lane_choices(
    lanes: Collection[tuple[str, str]], wanted: PageFilter
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the menus of environments and of services offer, out of (service, env) pairs."""
    envs = find_choices((env for _, env in lanes), wanted.env)
    return envs, find_choices((service for service, _ in lanes), wanted.service)


def read_filter(given: Mapping[str, str]) -> PageFilter:
    """The filter in a query. Invalid names every part that cannot be."""
    values = {name: given.get(_NAMES.get(name, name), "").strip() for name in _GIVEN}
    wanted = PageFilter(**values)
    problems = {}
    if wanted.range and wanted.range not in dict(RANGES):
        problems["range"] = f"is one of {', '.join(dict(RANGES))}"
    if wanted.status and wanted.status not in STATUSES:
        problems["status"] = f"is one of {', '.join(STATUSES)}"
    if wanted.state and wanted.state not in STATES:
        problems["state"] = f"is one of {', '.join(STATES)}"
    parsers: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("since", parse_instant),
        ("until", parse_instant),
        ("cursor", decode_cursor),
    )
    for name, parse in parsers:
        try:
            if values[name]:
                parse(values[name])
        except ValueError as error:
            problems[_NAMES.get(name, name)] = str(error)
    refuse_any(problems)
    if wanted.range:
        wanted = wanted._replace(since="", until="")
    return wanted._replace(q=wanted.q[:MAX_SEARCH], hidden="1" if wanted.hidden == "1" else "")
