"""The group commit: one thread owns the one connection that writes and checkpoints.

It takes all that waits, opens one transaction, gives each submission a savepoint, commits once
(WAL, synchronous=FULL), then wakes every waiter. A submission that was answered is on disk; one
that failed left nothing; a full queue is refused at once.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from miniapm.exceptions import Busy, Unavailable
from miniapm.storage.budget import ByteBudget
from miniapm.storage.connection import (
    LOCK_WAIT_SECONDS,
    file_lock,
    identify_file,
    translate_error,
)

T = TypeVar("T")
log = logging.getLogger(__name__)

GROUP_LIMIT = 512
GROUP_SECONDS = 0.05
GATHER_SECONDS = 0.003
CHECKPOINT_SECONDS = 0.25
TRUNCATE_SECONDS = 60.0
SLOWEST_LOCK_SECONDS = 30.0
LAST_CHECKPOINT_MS = 500
COMPLAINT_SECONDS = 10.0


class _Submission:
    __slots__ = ("args", "error", "future", "query", "result", "size")

    def __init__(
        self, future: "asyncio.Future[Any]", query: Callable[..., Any], args: Any, size: int
    ) -> None:
        self.future = future
        self.query = query
        self.args = args
        self.size = size
        self.result: Any = None
        self.error: BaseException | None = None


# takes the arguments of many calls of one query; gives the result of each, None for those that it
# left to be run one by one
Together = Callable[[Any, Sequence[Any]], Sequence[Any]]


class Writer:
    """Takes functions of a connection; answers after their commit. Lives on one event loop.

    `together` names queries of which many calls can be run as one. `on_rollback` is called in the
    writing thread when a whole group was undone: what it left in memory is not on disk.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        max_items: int,
        budget: ByteBudget,
        together: Mapping[Callable[..., Any], Together] | None = None,
        on_rollback: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._file = identify_file(path)
        self._max_items = max_items
        self._budget = budget
        self._together = dict(together or {})
        self._on_rollback = on_rollback
        self._queue: SimpleQueue[list[_Submission] | None] = SimpleQueue()
        self._fresh: list[_Submission] = []
        self._left: list[_Submission] = []
        self._gather_until = 0.0
        self._items = 0
        self._moved_at = 0.0
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        self._checkpointed_at = self._truncated_at = time.monotonic()
        self._dirty = False
        self._complained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, query: Callable[..., T], *args: Any, size: int = 256) -> "asyncio.Future[T]":
        """Queues `query(connection, *args)`; the future is done once its commit is on disk.

        `size` is what the submission holds in memory, in bytes, unless it is counted already. Busy
        at once when the queue is full.
        """
        if self._closing:
            raise Busy("The server is stopping; send again in a moment.", 5)
        if self._items >= self._max_items:
            raise Busy("More is coming in than can be stored; send again in a moment.", 1)
        self._budget.take(size)
        if not self._items:
            self._moved_at = self._loop.time()
        self._items += 1
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._fresh:
            self._gather_until = self._loop.time() + GATHER_SECONDS
            self._loop.call_soon(self._gather, 0)
        self._fresh.append(_Submission(future, query, args, size))
        return future

    def _gather(self, seen: int) -> None:
        """Hands over once a turn of the loop has brought nothing more: a commit costs as much as
        ten rows, and a lone submission waits for one turn only."""
        if seen < len(self._fresh) < GROUP_LIMIT and self._loop.time() < self._gather_until:
            self._loop.call_soon(self._gather, len(self._fresh))
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._queue.put(fresh)

    @property
    def is_closing(self) -> bool:
        return self._closing

    @property
    def waiting(self) -> int:
        """Submissions not yet committed."""
        return self._items

    @property
    def stalled_seconds(self) -> float:
        """For how long nothing was committed though something waits."""
        return self._loop.time() - self._moved_at if self._items else 0.0

    async def close(self) -> None:
        """Takes nothing more, commits what waits, checkpoints, closes the connection."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.shield(self._finished)
        self._thread.join()

    def _run(self) -> None:
        stop = False
        while not stop or self._left:
            stop = self._take_group() or stop
            if self._left:
                # no name for the group: it would stay in memory until the next one
                self._call(self._resolve_group, self._commit_group(self._left))
            last = stop and not self._left
            if self._dirty and (last or self._checkpoint_is_due()):
                self._checkpoint(last=last)
        self._connection.close()
        self._call(self._finished.set_result, None)

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is gone: nobody waits any more
            log.debug("the event loop closed before the writer")

    def _take_group(self) -> bool:
        """Adds what waits to what was left of the last group; whether the end has come."""
        group = self._left
        try:
            # while pages wait for a checkpoint, wake up for it even when nothing more comes
            wait = CHECKPOINT_SECONDS if self._dirty else None
            fresh = self._queue.get_nowait() if group else self._queue.get(timeout=wait)
            while fresh is not None:
                group += fresh
                if len(group) >= GROUP_LIMIT:
                    return False
                fresh = self._queue.get_nowait()
        except Empty:
            return False
        return True

    def _commit_group(self, group: list[_Submission]) -> list[_Submission]:
        """Commits what it can of `group` in a bounded time and leaves the rest for the next; gives
        those that are done."""
        execute = self._connection.execute
        self._left = []
        try:
            self._refuse_when_gone()
            self._begin()
            until = time.monotonic() + GROUP_SECONDS
            alone = self._run_together(group, until)
            for place, submission in enumerate(alone):
                # large writes must not make those behind them wait for all of them
                if place and time.monotonic() > until:
                    self._left = alone[place:]
                    break
                execute("SAVEPOINT submission")
                try:
                    submission.result = submission.query(self._connection, *submission.args)
                except Exception as error:
                    submission.error = _as_settable(error)
                    # a full disk rolls the whole transaction back: then this raises, for all
                    execute("ROLLBACK TO submission")
                execute("RELEASE submission")
            execute("COMMIT")
            self._dirty = True
        except Exception as error:
            self._left = []
            self._fail_group(group, error)
        if not self._left:
            return group
        left = set(map(id, self._left))
        return [submission for submission in group if id(submission) not in left]

    def _refuse_when_gone(self) -> None:
        """Busy when another file, or none, stands where ours did: a commit would be lost."""
        if identify_file(self._path) != self._file:
            raise Busy("The database file was moved, replaced or deleted; nothing is stored.", 30)

    def _run_together(self, group: list[_Submission], until: float) -> list[_Submission]:
        """Runs what can be run as one; gives what is left to be run one by one."""
        left: list[_Submission] = []
        batches: dict[Together, list[_Submission]] = {}
        for submission in group:
            together = self._together.get(submission.query)
            (left if together is None else batches.setdefault(together, [])).append(submission)
        for together, batch in batches.items():
            done = 1
            while done and len(batch) > 1 and time.monotonic() < until:
                rest = self._run_batch(together, batch)
                done = len(batch) - len(rest)
                batch = rest
            left += batch
        return left

    def _run_batch(self, together: Together, batch: list[_Submission]) -> list[_Submission]:
        execute = self._connection.execute
        execute("SAVEPOINT batch")
        try:
            results = together(self._connection, [submission.args for submission in batch])
        except Exception as error:
            # one of them must not fail its neighbours: each gets a savepoint of its own
            log.warning("%d writes are done one by one: %s", len(batch), error)
            execute("ROLLBACK TO batch")
            results = [None] * len(batch)
        execute("RELEASE batch")
        for submission, result in zip(batch, results, strict=True):
            submission.result = result
        return [submission for submission in batch if submission.result is None]

    def _begin(self) -> None:
        deadline = time.monotonic() + SLOWEST_LOCK_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not isinstance(translate_error(error), Busy) or time.monotonic() > deadline:
                    raise
            else:
                return

    def _fail_group(self, group: list[_Submission], error: Exception) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._on_rollback()
        cause = next(
            (s.error for s in group if isinstance(s.error, sqlite3.OperationalError)), error
        )
        for submission in group:
            submission.error = cause
        # a full disk fails hundreds of groups a second, and the log often lies on it, too
        if time.monotonic() - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = time.monotonic()
            log.error("a group of %d writes was not stored: %s", len(group), cause)

    def _resolve_group(self, group: list[_Submission]) -> None:
        self._moved_at = self._loop.time()
        for submission in group:
            self._items -= 1
            self._budget.give_back(submission.size)
            future = submission.future
            if future.done():
                continue
            error = submission.error
            if error is None:
                future.set_result(submission.result)
            elif isinstance(error, sqlite3.Error):
                future.set_exception(translate_error(error))
            else:
                future.set_exception(error)

    def _checkpoint_is_due(self) -> bool:
        return time.monotonic() - self._checkpointed_at >= CHECKPOINT_SECONDS

    def _checkpoint(self, *, last: bool) -> None:
        try:
            with file_lock(self._path, 1.0 if last else 0.0) as held:
                if held:
                    now = time.monotonic()
                    if last:
                        self._truncate(LAST_CHECKPOINT_MS)
                    elif now - self._truncated_at < TRUNCATE_SECONDS:
                        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    # what was erased must not stay in the end of a long log, which nothing reaches
                    elif self._truncate(0):
                        self._truncated_at = now
                    self._dirty = False
        except (sqlite3.Error, OSError, Unavailable) as error:
            log.warning("the checkpoint waits: %s", error)
        self._checkpointed_at = time.monotonic()

    def _truncate(self, wait_ms: int) -> bool:
        """Checkpoints and empties the log. False, without holding anybody up for longer than
        `wait_ms`, where a stranger reads what is older: then it is a checkpoint all the same."""
        execute = self._connection.execute
        execute(f"PRAGMA busy_timeout = {wait_ms}")
        try:
            [is_busy, *_] = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            execute(f"PRAGMA busy_timeout = {round(LOCK_WAIT_SECONDS * 1000)}")
        return not is_busy


def _as_settable(error: Exception) -> Exception:
    """`error`, or what a future can carry in its place: it takes no StopIteration."""
    return (
        RuntimeError("a write ended in StopIteration")
        if isinstance(error, StopIteration)
        else error
    )
