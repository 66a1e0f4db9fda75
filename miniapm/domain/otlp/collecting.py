"""What the readers of both encodings share: from decoded spans to what is stored of a call."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from miniapm.domain.errors.values import Occurrence
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans import endpoints
from miniapm.domain.spans.batches import EntrySpan, ResourceEntries, Window, build_batch
from miniapm.domain.spans.compression import Compress
from miniapm.domain.spans.refusals import Refused
from miniapm.domain.spans.values import (
    EarlyCalls,
    Entry,
    Format,
    SpanBatch,
    Telemetry,
    TelemetryDefaults,
)
from miniapm.exceptions import Invalid

CLIENT, PRODUCER = 3, 4
ENTRY_KINDS = frozenset((2, 5))
"""SERVER and CONSUMER."""

ERROR = 2
_FIRST_FAILURE = 500
_MOST_REFUSED = 100_000


class Collected:
    """What the spans of one batch come to. The readers' loops put it in directly."""

    __slots__ = ("early_calls", "entries", "starts", "trace_ids")

    def __init__(self) -> None:
        self.trace_ids: set[bytes] = set()
        self.starts: list[int] = []
        self.entries: list[Entry] = []
        self.early_calls: list[EarlyCalls] = []

    def add(self, found: ResourceEntries) -> None:
        """Takes what one resource came to."""
        self.entries += found.finish()
        self.early_calls += found.find_early_calls()

    def build(
        self,
        format_: Format,
        body: bytes,
        occurrences: list[Occurrence],
        compress: Compress,
    ) -> SpanBatch | None:
        """The batch of `body`; None when there was no span."""
        if not self.starts:
            return None
        return build_batch(
            format_,
            body,
            trace_ids=self.trace_ids,
            starts=self.starts,
            entries=self.entries,
            early_calls=self.early_calls,
            occurrences=occurrences,
            compress=compress,
        )


class PartReader:
    """Reads the parts of one body, in either encoding; `refused` counts what is left out."""

    def __init__(
        self,
        defaults: TelemetryDefaults,
        window: Window,
        scrubber: Scrubber,
        compress: Compress,
    ) -> None:
        self._defaults = defaults
        self._window = window
        self._scrubber = scrubber
        self._compress = compress
        self.refused = Refused()


def read_parts(
    parts: Iterable[bytes], refused: Refused, read: Callable[[bytes], SpanBatch | None]
) -> Telemetry:
    """What all parts of a body come to, each read by `read`, which counts into `refused`."""
    batches = []
    for part in parts:
        batch = read(part)
        if batch is not None:
            batches.append(batch)
        elif refused.count > _MOST_REFUSED:
            # who sends millions of empty spans shall not keep us busy
            raise Invalid(f"Too much of this body cannot be kept: {refused.explain()}.")
    return Telemetry(batches=batches, rejected=refused.count, reason=refused.explain())


class Described(NamedTuple):
    """What an entry span is called, and how it ended as far as HTTP tells."""

    endpoint: str
    status_code: int | None
    failed: bool


def describe_entry(name: str, attributes: Mapping[str, Any]) -> Described:
    """What an entry span's name and its attributes of `endpoints.WANTED` say."""
    status_code = endpoints.read_status_code(attributes)
    return Described(
        endpoints.name_endpoint(name, attributes),
        status_code,
        status_code is not None and status_code >= _FIRST_FAILURE,
    )


def make_entry(
    trace_id: bytes,
    name: str,
    attributes: Mapping[str, Any],
    times: tuple[int, int],
    is_error: bool,
) -> EntrySpan:
    """An entry span out of its name, its attributes of `endpoints.WANTED`, when it began and ended
    in ns, and whether its status says ERROR."""
    endpoint, status_code, failed = describe_entry(name, attributes)
    return EntrySpan(trace_id, endpoint, *times, is_error or failed, status_code)
