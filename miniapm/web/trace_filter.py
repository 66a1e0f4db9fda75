"""What a list of traces was asked to show: read from its query, written back into its links."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from miniapm.domain.ids import parse_id
from miniapm.storage.spans.entries import EntryCursor, EntryFilter
from miniapm.web.filters import PageFilter, read_filter, refuse_any

MOST_MS = 86_400_000
SORTS = (("recent", "Newest"), ("slow", "Slowest"))
STATUSES = (
    ("failed", "Failed"),
    ("ok", "Not failed"),
    ("2xx", "2xx"),
    ("3xx", "3xx"),
    ("4xx", "4xx"),
    ("5xx", "5xx"),
)
LEAST_PART = 8
_TRACE_ID = 32
_OTHER_NAMES = {"slowest": "slow", "newest": "recent"}
_STATUS = re.compile(r"failed|ok|[1-5]xx|[1-9]\d\d")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class TraceFilter(NamedTuple):
    """The filters as they stand in the address; "" where one is not set. `page` has those that
    other pages know, too."""

    page: PageFilter = PageFilter()
    sort: str = ""
    endpoint: str = ""
    min_ms: str = ""
    status: str = ""
    version: str = ""
    trace: str = ""

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the time narrows the list."""
        return any((self.page.env, self.page.service, *self[2:]))

    def query(self, **changes: str) -> str:
        """This filter as `?name=value&...` after `changes`. The place in the list goes with a
        change, unless it is the change."""
        own = {name: changes.pop(name, getattr(self, name)) for name in _OWN}
        given = {name: value for name, value in own.items() if value}
        kept = self.page.query(**changes)
        return "&".join(filter(None, (kept or "?", urlencode(given)))).replace("?&", "?")

    def to_entries(self, since: int, until: int) -> EntryFilter:
        """What storage looks for."""
        return EntryFilter(
            since=since,
            until=until,
            env=self.page.env or None,
            service=self.page.service or None,
            version=self.version or None,
            endpoint_id=int(self.endpoint) if self.endpoint else None,
            min_us=int(float(self.min_ms) * 1000) if self.min_ms else 0,
            failed={"failed": True, "ok": False}.get(self.status),
            statuses=read_statuses(self.status),
        )

    def as_shown(self) -> "TraceFilter":
        """As `PageFilter.as_shown`."""
        return self._replace(page=self.page.as_shown())

    def to_cursor(self) -> EntryCursor | None:
        """The place after which the list begins."""
        cursor = self.page.to_cursor()
        return EntryCursor(*cursor) if cursor else None


_OWN = TraceFilter._fields[1:]


TYPED = frozenset({"min_ms", "trace"})
"""What people type into the form of the list; all else is chosen."""


def read_trace_filter(given: Mapping[str, str]) -> tuple[TraceFilter, dict[str, str]]:
    """The filter in a query, and what in it cannot be, by name; of that only what people type
    (`TYPED`): Invalid names everything else."""
    others = {name: value for name, value in given.items() if name not in ("status", "q", "tag")}
    values = {name: given.get(name, "").strip() for name in _OWN}
    values["sort"] = _OTHER_NAMES.get(values["sort"], values["sort"])
    problems = {}
    if values["sort"] not in ("", *dict(SORTS)):
        problems["sort"] = "is recent or slow"
    if values["endpoint"] and parse_id(values["endpoint"]) is None:
        problems["endpoint"] = "is the id of an endpoint"
    if values["min_ms"] and not is_duration(values["min_ms"]):
        problems["min_ms"] = f"takes a number of milliseconds up to {MOST_MS:,}"
    if values["status"] and not _STATUS.fullmatch(values["status"]):
        problems["status"] = "is failed, ok, an HTTP status such as 404, or a class such as 5xx"
    values["trace"] = _read_trace(values["trace"], problems)
    values["version"] = values["version"][:200]
    if problems.keys() - TYPED:
        refuse_any(problems)
    page = read_filter(others)._replace(q="", tag="", hidden="")
    return TraceFilter(page, **values), problems


def _read_trace(text: str, problems: dict[str, str]) -> str:
    """A trace id, or its beginning or end, in hex; also out of a `traceparent`."""
    text = text.lower()
    if found := _TRACE_PARENT.fullmatch(text):
        return found[1]
    text = text.replace("-", "").replace(" ", "")
    is_hex = all(c in "0123456789abcdef" for c in text)
    if text and not (is_hex and LEAST_PART <= len(text) <= _TRACE_ID):
        problems["trace"] = (
            f"takes a trace id, {_TRACE_ID} characters of 0 to 9 and a to f, or its first or last"
            f" {LEAST_PART} or more"
        )
    return text


def is_whole_trace(text: str) -> bool:
    """Whether it is a trace id and not just a part of one."""
    return len(text) == _TRACE_ID


def is_duration(text: str) -> bool:
    """Whether it is a number of milliseconds that a request can take."""
    is_plain = re.fullmatch(r"\d{1,8}(\.\d{1,6})?", text, re.ASCII) is not None
    return is_plain and float(text) <= MOST_MS


def read_statuses(text: str) -> tuple[int, int] | None:
    """The lowest and the highest HTTP status that `404` or `5xx` stands for."""
    if len(text) != 3 or not text[0].isdigit():
        return None
    return int(text.replace("x", "0")), int(text.replace("x", "9"))
