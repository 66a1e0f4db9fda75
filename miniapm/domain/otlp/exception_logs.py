"""What the readers of log records share: which ones become errors, and what is said of others."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.otlp.exceptions import ExceptionReports, Where, tells_exception
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.batches import digest_body, window_at
from miniapm.domain.spans.values import ReleaseName

EXCEPTION_PREFIX = "exception."
_NOT_KEPT = "miniapm keeps only log records with exception.type or exception.message"
_BAD_TIME = "the time is more than 14 days ago or 10 minutes ahead"


class Record(NamedTuple):
    """A log record: ids in hex, "" where unknown; when, in ns, 0 where unknown."""

    trace_id: str
    span_id: str
    at: int
    attributes: Mapping[str, Any]


class Logs(NamedTuple):
    """What a call brought. `digest` is what a retry of the same body is recognised by; a `reason`
    where nothing was rejected is a warning."""

    occurrences: list[Occurrence]
    rejected: int
    reason: str
    digest: bytes


class ExceptionLogs:
    """Collects the exceptions among the log records of a call."""

    def __init__(self, now: int, scrubber: Scrubber) -> None:
        self._now = now * 1000
        self._window = window_at(now)
        self._reports = ExceptionReports(scrubber, self._window)
        self._reasons: Counter[str] = Counter()

    def take(self, record: Record, release: ReleaseName) -> None:
        """Makes an error of a record that tells an exception."""
        at = record.at or self._now
        if not tells_exception(record.attributes):
            self.refuse()
        elif not self._window.low <= at <= self._window.high:
            self.refuse(_BAD_TIME)
        else:
            where = Where(release, record.trace_id, record.span_id, at, {})
            self._reports.add(record.attributes, at, where)

    def refuse(self, reason: str = _NOT_KEPT) -> None:
        """Counts a record that is not kept."""
        self._reasons[reason] += 1

    def finish(self, body: bytes) -> Logs:
        """All of it; `body` is the whole of the call."""
        reason = "; ".join(
            f"{count} log {'record' if count == 1 else 'records'} not kept: {reason}"
            for reason, count in self._reasons.most_common()
        )
        occurrences = self._reports.finish()
        digest = digest_body(body) if occurrences else b""
        return Logs(occurrences, self._reasons.total(), reason, digest)
