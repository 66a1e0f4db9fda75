"""The exceptions of a call, each once, however many spans of a trace report it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from miniapm.domain.errors.exceptions import read_exception
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.batches import Window
from miniapm.domain.spans.values import ReleaseName

EXCEPTION = "exception"
_TYPE, _MESSAGE, _STACKTRACE = (
    "exception.type",
    "exception.message",
    "exception.stacktrace",
)


class Where(NamedTuple):
    """Whose exception it is: ids in hex, "" where unknown; `at` in ns, for one that tells no time
    that may be true; `attributes` are those of the span around it."""

    release: ReleaseName
    trace_id: str
    span_id: str
    at: int
    attributes: Mapping[str, Any]


class ExceptionReports:
    """Collects the exceptions of a call.

    One that rises through several spans of a trace is reported by each of them: the first report
    stands for it.
    """

    def __init__(self, scrubber: Scrubber, window: Window) -> None:
        self._scrubber = scrubber
        self._window = window
        self._alone: list[Occurrence] = []
        self._first: dict[tuple[str, str, str], Occurrence] = {}

    def add(self, attributes: Mapping[str, Any], at: int, where: Where) -> None:
        """Takes the exception that `attributes` tell; it happened `at`, in ns."""
        low, high = self._window
        happened_at = (at if low <= at <= high else where.at) // 1000
        told = (attributes.get(name) for name in (_TYPE, _MESSAGE, _STACKTRACE))
        occurrence = read_exception(
            where.release,
            happened_at,
            *("" if value is None else str(value) for value in told),
            scrubber=self._scrubber,
            trace_id=where.trace_id,
            span_id=where.span_id,
            attributes={**where.attributes, **attributes},
        )
        if not where.trace_id:
            self._alone.append(occurrence)
            return
        same = where.trace_id, occurrence.exception_class, occurrence.message
        known = self._first.get(same)
        if known is None or happened_at < known.happened_at:
            self._first[same] = occurrence

    def finish(self) -> list[Occurrence]:
        """The occurrences of the call."""
        return [*self._first.values(), *self._alone]


def tells_exception(attributes: Mapping[str, Any]) -> bool:
    """Whether a log record with these attributes reports an exception."""
    return bool(attributes.get(_TYPE) or attributes.get(_MESSAGE))
