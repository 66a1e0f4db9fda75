"""What the writing thread keeps in memory of telemetry: ids by name, recent bodies, open minutes.

All of it can be read back from the file, and is: at the start, and after a group of writes that
failed, for then nobody knows which of it is on disk. Its methods run in the writing thread alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from miniapm.clock import MINUTE, Clock
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.ids import IdMaker
from miniapm.domain.rollups import OpenRollups, Rollups
from miniapm.domain.spans.compression import Compress, Dictionary, compress_plain
from miniapm.domain.spans.early_calls import EarlyCallsMemory
from miniapm.domain.spans.ids import BatchIds, to_batch_id
from miniapm.domain.spans.recent_bodies import MOST_REMEMBERED, RecentBodies
from miniapm.domain.spans.values import Telemetry, TelemetryDefaults
from miniapm.storage.connection import Connection
from miniapm.storage.errors.record import RecordedError, record_occurrences
from miniapm.storage.impact.stirred import Stirred
from miniapm.storage.progress import find_progress
from miniapm.storage.projects import has_project, require_project
from miniapm.storage.rollups.flush import flush_rollups
from miniapm.storage.spans.dictionaries import find_latest_dictionary, insert_dictionary
from miniapm.storage.spans.names import NameCaps, NameIds
from miniapm.storage.spans.record import NewBatch, insert_batches
from miniapm.storage.spans.replay import find_digests, find_last_batch, replay_entries

REMEMBER_BODIES = 15 * MINUTE
# one takes a quarter of a megabyte once it is used
MOST_DICTIONARIES = 16
# of compressed bodies: 20 to 50 ms of work
MOST_TOGETHER_BYTES = 512 * 1024

SpansCall = tuple[int, TelemetryDefaults, Telemetry]
"""The project that was called for, what its key adds, and what was sent."""


class TelemetryStore:
    """Records telemetry. Made on the loop's thread before the writer runs, then the writer's."""

    def __init__(
        self, connection: Connection, clock: Clock, make_id: IdMaker, caps: NameCaps
    ) -> None:
        self._clock = clock
        self._make_id = make_id
        self.ids = NameIds(caps, clock)
        self.stirred = Stirred()
        self._load(connection)

    def _load(self, connection: Connection) -> None:
        self.ids.clear()
        self.stirred.forget_all()
        self._stale = False
        self._batch_ids = BatchIds(self._clock, find_last_batch(connection))
        since = to_batch_id(self._clock() - REMEMBER_BODIES)
        self._bodies = RecentBodies(find_digests(connection, since, MOST_REMEMBERED))
        self._compress: dict[int, Compress] = {}
        self._unproven: set[int] = set()
        self._early_calls = EarlyCallsMemory()
        self._open = OpenRollups()
        replay_entries(connection, self._open, find_progress(connection))

    def forget(self) -> None:
        """What is in memory may not be on disk: it is read back before the next use."""
        self._stale = True

    @contextmanager
    def _memory(self, connection: Connection) -> Iterator[None]:
        """What is in memory agrees with the file when the block begins; if it raises, what it did
        is rolled back, so it is read back before the next."""
        if self._stale:
            self._load(connection)
        try:
            yield
        except BaseException:
            self._stale = True
            raise

    def record_spans(
        self,
        connection: Connection,
        project_id: int,
        defaults: TelemetryDefaults,
        telemetry: Telemetry,
    ) -> int:
        """Stores the batches that were not stored before; gives how many that were."""
        with self._memory(connection):
            require_project(connection, project_id)
            return self._record(connection, [(project_id, defaults, telemetry)])[0]

    def record_spans_together(
        self, connection: Connection, calls: Sequence[SpansCall]
    ) -> list[int | None]:
        """As `record_spans` for the first of many calls, by few statements.

        None for each that it left alone: those past a fair share of a commit, for others wait for
        it too, and those of projects that are gone.
        """
        with self._memory(connection):
            projects = {project_id for project_id, *_ in calls}
            there = {one for one in projects if has_project(connection, one)}
            taken: list[int] = []
            size = 0
            for index, (project_id, _, telemetry) in enumerate(calls):
                size += sum(len(batch.body) for batch in telemetry.batches)
                if size > MOST_TOGETHER_BYTES:
                    break
                if project_id in there:
                    taken.append(index)
            stored = self._record(connection, [calls[index] for index in taken])
        done: list[int | None] = [None] * len(calls)
        for index, count in zip(taken, stored, strict=True):
            done[index] = count
        return done

    def _record(self, connection: Connection, calls: Sequence[SpansCall]) -> list[int]:
        stored = [0] * len(calls)
        fresh: list[NewBatch] = []
        size = 0
        occurrences: dict[int, list[Occurrence]] = {}
        now = self._clock()
        for index, (project_id, defaults, telemetry) in enumerate(calls):
            if project_id not in self._compress:
                self._load_dictionary(connection, project_id)
            for batch in telemetry.batches:
                if not self._is_new(project_id, batch.digest):
                    continue
                entries = self._early_calls.complete(project_id, batch.entries)
                self._early_calls.add(project_id, batch.early_calls, now)
                fresh.append(NewBatch(project_id, defaults, batch, entries))
                if batch.occurrences:
                    occurrences.setdefault(project_id, []).extend(batch.occurrences)
                stored[index] += 1
                size += len(batch.body)
                # what a large body came to is stored piece by piece, not held as rows at once
                if size > MOST_TOGETHER_BYTES:
                    self._insert(connection, fresh)
                    fresh, size = [], 0
        self._insert(connection, fresh)
        for project_id, happened in occurrences.items():
            self._count(connection, project_id, happened)
        return stored

    def _insert(self, connection: Connection, batches: Sequence[NewBatch]) -> None:
        self._open.add(insert_batches(connection, self.ids, self._batch_ids, batches))

    def find_compress(self, project_id: int) -> Compress:
        """How bodies of a project are compressed; from any thread. Plainly, until the project's
        first batch after the start has made the writing thread look for its dictionary."""
        return self._compress.get(project_id, compress_plain)

    def _load_dictionary(self, connection: Connection, project_id: int) -> None:
        if len(self._compress) >= MOST_DICTIONARIES:
            del self._compress[next(iter(self._compress))]
        dictionary = find_latest_dictionary(connection, project_id)
        if dictionary is None or dictionary.id in self._unproven:
            self._compress[project_id] = compress_plain
        else:
            self._compress[project_id] = dictionary.compress

    def add_dictionary(
        self, connection: Connection, project_id: int, dictionary: Dictionary
    ) -> None:
        """Keeps a dictionary. It must not be used before it is on disk: see `use_dictionary`."""
        with self._memory(connection):
            insert_dictionary(connection, project_id, dictionary, self._clock())
            self._unproven.add(dictionary.id)

    def use_dictionary(self, project_id: int, dictionary: Dictionary) -> None:
        """Bodies of the project are compressed with `dictionary` from now on, for it is on disk;
        from any thread."""
        self._unproven.discard(dictionary.id)
        self._compress[project_id] = dictionary.compress

    def record_errors(
        self,
        connection: Connection,
        project_id: int,
        occurrences: Sequence[Occurrence],
        digest: bytes = b"",
    ) -> list[RecordedError]:
        """Counts occurrences in their groups; says for each which group that is.

        A `digest` that came before is not counted again, and nothing is said of it.
        """
        with self._memory(connection):
            if digest and not self._is_new(project_id, digest):
                return []
            return self._count(connection, project_id, occurrences)

    def _count(
        self, connection: Connection, project_id: int, occurrences: Sequence[Occurrence]
    ) -> list[RecordedError]:
        self.stirred.note_errors(project_id, occurrences)
        return record_occurrences(
            connection, self.ids, project_id, occurrences, self._make_id, self._clock()
        )

    def add_minutes(self, minutes: Rollups) -> None:
        """Counts requests of which nothing else is kept, with the next flush."""
        known = self._open.minutes
        for key, rollup in minutes.items():
            if key in known:
                known[key].merge(rollup)
            else:
                known[key] = rollup

    def flush(self, connection: Connection) -> int:
        """Brings the stored rollups up to date; gives how many rows that took."""
        with self._memory(connection):
            self._bodies.forget_before(to_batch_id(self._clock() - REMEMBER_BODIES))
            self._early_calls.forget_old(self._clock())
            written = flush_rollups(connection, self._open)
            self.stirred.note(
                connection,
                ((key.project_id, key.release_id, key.started_at) for key in self._open.minutes),
            )
            self._open.clear()
            return written

    def _is_new(self, project_id: int, digest: bytes) -> bool:
        """Whether a body did not come before, as far as is remembered; it is from now on."""
        at = max(self._batch_ids.last, to_batch_id(self._clock()))
        return self._bodies.add(project_id, digest, at)
