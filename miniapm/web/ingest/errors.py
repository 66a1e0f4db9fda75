"""`POST /ingest/errors` and `/ingest/errors/batch`: answered once the errors are on disk."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from miniapm.domain.errors.reading import parse_error, parse_errors
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.keys import ERRORS_WRITE, Key
from miniapm.domain.payload_lists import Rejected, explain_rejected
from miniapm.storage.errors.record import RecordedError
from miniapm.web.ingest.calls import Answer, Call, sized
from miniapm.web.ingest.digesting import digest


class AcceptedError(msgspec.Struct, frozen=True):
    """Where an error went: `id` is the group's, as in `GET /api/v1/errors/{id}`."""

    id: Annotated[str, Meta(pattern=r"^[0-9]{1,19}$")]
    fingerprint: str


class AcceptedBatch(msgspec.Struct, frozen=True):
    """How many of a batch are stored, and which are not."""

    accepted: int
    rejected: list[Rejected]


async def post_error(call: Call) -> Answer:
    """Takes an error: 202 once it is on disk."""
    key = await call.authorise(ERRORS_WRITE)
    occurrence = await digest(call, key, parse_error, most_inflated=most_of_list(call))
    [recorded] = await _record(call, key, [occurrence])
    return _accept(AcceptedError(str(recorded.group_id), occurrence.fingerprint))


async def post_errors(call: Call) -> Answer:
    """Takes up to 1,000 errors: 202 once those that are good are on disk.

    One that is bad does not keep the others out; `rejected` names it by its place.
    """
    key = await call.authorise(ERRORS_WRITE)
    batch = await digest(call, key, parse_errors, most_inflated=most_of_list(call))
    if batch.occurrences:
        await _record(call, key, batch.occurrences)
    call.refused_part = explain_rejected(batch.rejected, "errors")
    return _accept(AcceptedBatch(len(batch.occurrences), batch.rejected))


def most_of_list(call: Call) -> int:
    """Bytes of a list of errors or requests, inflated or not: all of it is decoded at once."""
    return call.context.config.limits.telemetry_body_bytes


async def _record(call: Call, key: Key, occurrences: Sequence[Occurrence]) -> list[RecordedError]:
    database = call.context.database
    return await database.writer.submit(
        database.telemetry.record_errors,
        key.project_id,
        occurrences,
        size=0,  # the call's reservation holds it
    )


def _accept(answer: msgspec.Struct) -> Answer:
    body = msgspec.json.encode(answer)
    return Answer(202, sized(b"application/json", body), body)
