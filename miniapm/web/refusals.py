"""Keeping what was refused: hooks rarely look at the answer, so somebody else must."""

import asyncio
import logging
import re
from asyncio import Future
from collections import Counter
from collections.abc import Mapping

from miniapm.clock import SECOND, Clock
from miniapm.domain.ids import IdMaker
from miniapm.domain.keys import Key
from miniapm.exceptions import Busy, Invalid, MiniapmError
from miniapm.storage.database import Database
from miniapm.storage.refusals import KEPT_BODY_BYTES, UNKNOWN_PROJECT, Refusal, insert_refusal

log = logging.getLogger(__name__)

KEPT_PER_SECOND = 50
WAIT_SECONDS = 1.0
# `*+` and `++` give nothing back: else a word repeated for 2 KB takes 26 ms of the one loop
_SECRETS = re.compile(
    rb"""proj_\w+
    | (?i: ((?:api[_-]?key|token|secret|passw(?:or)?d|pwd|authorization|cookie|private[_-]?key)
            \w*+["']?+\s*+[:=]\s*+)
           (?: "(?:[^"\\]|\\.)*+"? | '(?:[^'\\]|\\.)*+'? | \[[^\]]*+\]?
             | (?:(?:basic|bearer|token)\s++)? [^"'&,\s}]++ ))
    | (://)[^/\s"'@]++@""",
    re.VERBOSE,
)


class RefusalRecorder:
    """Submits refusals; one that cannot be kept is lost: they are news, not acknowledged data."""

    def __init__(self, database: Database, clock: Clock, make_id: IdMaker) -> None:
        self._database = database
        self._clock = clock
        self._make_id = make_id
        self._second = 0
        self._kept: Counter[int] = Counter()

    async def record(self, route: str, key: Key | None, error: MiniapmError, body: bytes) -> None:
        """Keeps one refusal; waits for it a little, so that who looks next finds it."""
        now = self._clock()
        project_id = key.project_id if key else UNKNOWN_PROJECT
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
            body=mask_secrets(bytes(body[:KEPT_BODY_BYTES])),
            refused_at=now,
        )
        try:
            written = self._database.writer.submit(insert_refusal, refusal, size=4096)
        except Busy:
            return
        written.add_done_callback(_log_failure)
        await asyncio.wait([written], timeout=WAIT_SECONDS)


def mask_secrets(body: bytes) -> bytes:
    """`body` without what looks like a key, a password, or a name in an address."""
    return _SECRETS.sub(rb"\1\2***", body)


def _fields(error: MiniapmError) -> Mapping[str, str]:
    return error.fields if isinstance(error, Invalid) else {}


def _log_failure(written: "Future[None]") -> None:
    if not written.cancelled() and written.exception() is not None:
        log.warning("a refusal was not kept: %s", written.exception())
