"""Keeping what was refused: hooks rarely look at the answer, so somebody else must."""

import asyncio
import logging
import re
from asyncio import Future
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Mapping

from miniapm.clock import SECOND, Clock
from miniapm.domain.ids import IdMaker
from miniapm.domain.keys import Key
from miniapm.domain.scrubbing import Scrubber
from miniapm.exceptions import Busy, Invalid, MiniapmError
from miniapm.storage.database import Database
from miniapm.storage.refusals import KEPT_BODY_BYTES, UNKNOWN_PROJECT, Refusal, insert_refusal

log = logging.getLogger(__name__)

KEPT_PER_SECOND = 50
WAIT_SECONDS = 1.0
# what a value near the end of what is kept belongs to may stand behind it
READ_BODY_BYTES = 2 * KEPT_BODY_BYTES
# no text holds these; protobuf does in its first bytes, even where all of them are UTF-8
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CONTENT_TYPE = re.compile(rb"[\w.+-]{1,60}/[\w.+-]{1,60}")


class RefusalRecorder:
    """Submits refusals; one that cannot be kept is lost: they are news, not acknowledged data."""

    def __init__(
        self, database: Database, clock: Clock, make_id: IdMaker, scrubber: Scrubber
    ) -> None:
        self._database = database
        self._scrubber = scrubber
        self._clock = clock
        self._make_id = make_id
        self._second = 0
        self._kept: Counter[int] = Counter()

    async def record(
        self,
        route: str,
        key: Key | None,
        error: MiniapmError,
        body: bytes,
        content_type: bytes = b"",
        project_id: int = UNKNOWN_PROJECT,
        size: int = 0,
    ) -> None:
        """Keeps one refusal; waits for it a little, so that who looks next finds it.

        `content_type` as the header gives it; `project_id` is whose it is where there is no key;
        `size` that of the whole body, where `body` is its first READ_BODY_BYTES.
        """
        now = self._clock()
        project_id = key.project_id if key else project_id
        if now // SECOND != self._second:
            self._second = now // SECOND
            self._kept.clear()
        # a sender in a loop must not turn each refusal into a write, nor hide another project's
        self._kept[project_id] += 1
        if self._kept[project_id] > KEPT_PER_SECOND:
            return
        refusal = Refusal(
            id=self._make_id(),
            project_id=project_id,
            route=route,
            key_id=key.id if key else None,
            status=error.status,
            message=error.message,
            fields=dict(_fields(error)),
            body=describe_body(body, content_type, self._scrubber, size),
            refused_at=now,
        )
        try:
            written = self._database.writer.submit(insert_refusal, refusal, size=4096)
        except Busy:
            return
        written.add_done_callback(_log_failure)
        await asyncio.wait([written], timeout=WAIT_SECONDS)


def describe_body(
    body: bytes | bytearray, content_type: bytes, scrubber: Scrubber, size: int = 0
) -> bytes:
    """The first 2 KB of a text with secrets masked; of anything else, how much of what it is.
    `size` as in `RefusalRecorder.record`."""
    if not body:
        return b""
    kind = _CONTENT_TYPE.match(content_type.strip())
    text = None if kind and kind[0].lower().endswith(b"protobuf") else _read_text(body)
    if text is None:
        named = kind[0].decode("ascii", "replace") if kind else "data that is not text"
        return f"({max(size, len(body)):,} bytes of {named})".encode()
    return scrubber.scrub_text(text).encode()[:KEPT_BODY_BYTES]


def _read_text(body: bytes | bytearray) -> str | None:
    """The beginning of `body`, None where it is not UTF-8 text; its last character may be cut."""
    try:
        text = getincrementaldecoder("utf-8")().decode(bytes(body[:READ_BODY_BYTES]))
    except UnicodeDecodeError:
        return None
    return None if _BINARY.search(text) else text


def _fields(error: MiniapmError) -> Mapping[str, str]:
    return error.fields if isinstance(error, Invalid) else {}


def _log_failure(written: "Future[None]") -> None:
    if not written.cancelled() and written.exception() is not None:
        log.warning("a refusal was not kept: %s", written.exception())
