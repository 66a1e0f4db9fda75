"""The job that trains dictionaries: soon after a project has begun to send, and once a month."""

import asyncio
from collections.abc import Sequence

from miniapm.clock import DAY, MINUTE, Clock
from miniapm.domain.otlp.samples import clean_sample
from miniapm.domain.spans.compression import Dictionary, train_dictionary
from miniapm.domain.spans.ids import to_batch_id
from miniapm.storage.database import Database
from miniapm.storage.spans.dictionaries import Sample, find_samples, find_untrained

_RECENT = 7 * DAY
_TRY_AGAIN = 10 * MINUTE


class DictionaryTraining:
    """Looks for projects that are due; what gave no dictionary is left alone for a while."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._not_before: dict[int, int] = {}

    async def run(self) -> None:
        now = self._clock()
        for project_id in await self._database.read(find_untrained, now):
            if self._not_before.get(project_id, 0) <= now:
                await self._train(project_id, now)

    async def _train(self, project_id: int, now: int) -> None:
        database = self._database
        since = to_batch_id(now - _RECENT)
        samples = await database.read(find_samples, project_id, since)
        if not samples:
            return
        dictionary = await asyncio.to_thread(_train, samples)
        if dictionary is None:
            self._not_before[project_id] = now + _TRY_AGAIN
        else:
            await database.write(database.telemetry.add_dictionary, project_id, dictionary)
            database.telemetry.use_dictionary(project_id, dictionary)


def _train(samples: Sequence[Sample]) -> Dictionary | None:
    cleaned = (clean_sample(sample.format, sample.body) for sample in samples)
    return train_dictionary([sample for sample in cleaned if sample is not None])
