"""The dictionaries with which bodies are compressed: one a project, made anew once a month.

Older ones stay as long as a body needs them (`storage/retention/dictionaries.py`).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from miniapm.clock import DAY
from miniapm.domain.otlp.stored import DamagedBody, StoredBody
from miniapm.domain.spans.compression import MOST_SAMPLE_BYTES, Dictionary, dictionary_of
from miniapm.domain.spans.values import Format, TelemetryDefaults
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.overwriting import overwriting

RENEW_AFTER = 30 * DAY
_MOST_BATCHES = 400
_FEWEST_BATCHES = 20
_LARGEST_BODY = 1024 * 1024


def insert_dictionary(
    connection: Connection, project_id: int, dictionary: Dictionary, now: int
) -> None:
    """Keeps a dictionary; from now on it is the latest, though the clock was set back meanwhile."""
    last = scalar(
        connection,
        """/* span_dictionaries.last */ select max(made_at) from span_dictionaries
        where project_id = :project_id""",
        project_id=project_id,
    )
    connection.execute(
        """/* span_dictionaries.insert */ insert into span_dictionaries
            (project_id, id, made_at, content)
        values (:project_id, :id, :made_at, :content)
        on conflict (project_id, id) do update set made_at = excluded.made_at""",
        {
            "project_id": project_id,
            "id": dictionary.id,
            "made_at": now if last is None else max(now, last + 1),
            "content": dictionary.content,
        },
    )


def find_latest_dictionary(connection: Connection, project_id: int) -> Dictionary | None:
    """The one that new bodies are compressed with."""
    content = scalar(
        connection,
        """/* span_dictionaries.latest */ select content from span_dictionaries
        where project_id = :project_id order by made_at desc limit 1""",
        project_id=project_id,
    )
    return None if content is None else Dictionary(content)


class DictionaryKey(NamedTuple):
    """Which dictionary of which project."""

    project_id: int
    id: int


def find_replaced(connection: Connection, before: int) -> set[DictionaryKey]:
    """The dictionaries in whose place there was a later one before that instant (µs)."""
    rows = connection.execute(
        """/* span_dictionaries.replaced */ select project_id, id from span_dictionaries d
        where exists (select 1 from span_dictionaries l where l.project_id = d.project_id
            and l.made_at > d.made_at and l.made_at < :before)""",
        {"before": before},
    )
    return {DictionaryKey(*row) for row in rows}


def delete_dictionaries(connection: Connection, keys: Iterable[DictionaryKey]) -> None:
    """Their pages are overwritten: what was erased may stand in them."""
    with overwriting(connection):
        connection.executemany(
            """/* span_dictionaries.delete */ delete from span_dictionaries
            where project_id = :project_id and id = :id""",
            keys,
        )


class Bodies:
    """Opens the compressed bodies of a project; remembers the dictionaries that it needed."""

    def __init__(self, connection: Connection, project_id: int) -> None:
        self._connection = connection
        self._project_id = project_id
        self._known: dict[int, Dictionary | None] = {0: None}

    def stored(self, row: Row) -> StoredBody:
        """The body in a row of `span_batches` with format, defaults and body, and what opens it."""
        service, _, env = row["defaults"].partition("\n")
        body = row["body"]
        return StoredBody(row["format"], TelemetryDefaults(service, env), body, self._find(body))

    def _find(self, frame: bytes) -> Dictionary | None:
        needed = dictionary_of(frame)
        if needed not in self._known:
            self._known[needed] = _get_dictionary(self._connection, self._project_id, needed)
        return self._known[needed]


def _get_dictionary(
    connection: Connection, project_id: int, dictionary_id: int
) -> Dictionary | None:
    content = scalar(
        connection,
        """/* span_dictionaries.get */ select content from span_dictionaries
        where project_id = :project_id and id = :id""",
        project_id=project_id,
        id=dictionary_id,
    )
    # without it the body is as good as damaged, which `StoredBody.open` says
    return None if content is None else Dictionary(content)


def find_untrained(connection: Connection, now: int) -> list[int]:
    """The projects that send spans and have no dictionary, or only an old one."""
    rows = connection.execute(
        """/* span_dictionaries.untrained */ select p.id from projects p
        where not exists (select 1 from span_dictionaries d
                where d.project_id = p.id and d.made_at > :since)
            and exists (select 1 from releases r where r.project_id = p.id)""",
        {"since": now - RENEW_AFTER},
    )
    return [row["id"] for row in rows]


class Sample(NamedTuple):
    """A body as it came."""

    format: Format
    body: bytes


def find_samples(connection: Connection, project_id: int, since_id: int) -> list[Sample]:
    """Some of the project's latest bodies, as they came, from batch `since_id` on; none when it
    sent too few. Not as they are packed: a dictionary made of those serves both kinds worse."""
    bodies = Bodies(connection, project_id)
    frames = connection.execute(
        f"""/* span_batches.samples */ select format, defaults, body from span_batches
        where id >= :since_id and project_id = :project_id and format <> 'requests'
        order by id desc limit {_MOST_BATCHES}""",
        {"project_id": project_id, "since_id": since_id},
    )
    samples = list(_open_some(bodies, frames))
    return samples if len(samples) >= _FEWEST_BATCHES else []


def _open_some(bodies: Bodies, rows: Iterable[Row]) -> Iterator[Sample]:
    size = 0
    for row in rows:
        stored = bodies.stored(row)
        if stored.size > _LARGEST_BODY:
            continue
        try:
            body = stored.open()
        except DamagedBody:  # there are others to learn from
            continue
        yield Sample(stored.format, body)
        size += len(body)
        if size >= MOST_SAMPLE_BYTES:
            return
