"""The bodies that came of late, by which one that is sent again is told."""

from collections.abc import Iterable

MOST_REMEMBERED = 50_000


class RecentBodies:
    """Digests by project, each with the id that a batch had when it came; oldest first."""

    def __init__(self, known: Iterable[tuple[int, bytes, int]] = ()) -> None:
        self._batches = {(project_id, digest): batch_id for project_id, digest, batch_id in known}

    def add(self, project_id: int, digest: bytes, batch_id: int) -> bool:
        """Whether a body is new, as far as is remembered; from now on it is known."""
        batches, body = self._batches, (project_id, digest)
        if body in batches:
            return False
        batches[body] = batch_id
        if len(batches) > MOST_REMEMBERED:
            del batches[next(iter(batches))]
        return True

    def forget_before(self, batch_id: int) -> None:
        """Forgets what came before a batch."""
        while self._batches:
            first = next(iter(self._batches))
            if self._batches[first] >= batch_id:
                return
            del self._batches[first]
