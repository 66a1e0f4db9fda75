"""Which spans cannot be kept, and how that is said in a partial success."""

from collections import defaultdict
from operator import itemgetter

from miniapm.domain.spans.batches import Window

_TRACE_ID_BYTES = 16
_LIKELY = range(946_684_800 * 10**9, 4_102_444_800 * 10**9)
"""2000 to 2100, in ns."""

_UNITS = {10**3: "microseconds", 10**6: "milliseconds", 10**9: "seconds"}


class Refused:
    """Counts what is refused, by reason."""

    def __init__(self) -> None:
        # a Counter takes longer to make than a small body's spans to count
        self._reasons: defaultdict[str, int] = defaultdict(int)

    @property
    def count(self) -> int:
        return sum(self._reasons.values())

    def judge(self, trace_id: bytes, started: int, window: Window) -> bool:
        """Whether a span may be kept; `started` in ns."""
        if len(trace_id) != _TRACE_ID_BYTES or not any(trace_id):
            self._reasons["its trace id is not 16 bytes, or all zero"] += 1
        elif started < window.low:
            self._reasons[_explain_early(started)] += 1
        elif started > window.high:
            self._reasons["it begins more than 10 minutes from now: check the clock"] += 1
        else:
            return True
        return False

    def refuse_large(self) -> None:
        """Counts a span that is too large to look into."""
        self._reasons["it is larger than 1 MiB"] += 1

    def explain(self) -> str:
        """A sentence with the count of each reason; "" when nothing was refused."""
        if not self._reasons:
            return ""
        return "; ".join(
            f"{count} {'span' if count == 1 else 'spans'} refused: {reason}"
            for reason, count in sorted(self._reasons.items(), key=itemgetter(1), reverse=True)
        )


def _explain_early(started: int) -> str:
    """Why a span is too old, which it often is not: its time was written another way."""
    if not started:
        return "it has no start time"
    for factor, unit in _UNITS.items():
        if started * factor in _LIKELY:
            return f"its start time looks like {unit}: OTLP has nanoseconds"
    return "it began more than 14 days ago"
