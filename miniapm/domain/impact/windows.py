"""Which minutes are compared: an hour before a deploy in ten-minute pieces, and what came after it
in five blocks, at four looks. Whole minutes everywhere, for that is what rollups have."""

import msgspec

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.values import Window

WARM_UP = 2 * MINUTE
"""Caches are cold and workers restart: what happens so soon after a deploy is not judged."""
LOOKS = (5, 10, 30, 60)
"""Minutes after the warm-up at which it is looked."""
DECIDING_LOOK = 10
"""Earlier looks see disasters only."""
BLOCKS = 5
SPARE_BLOCKS = {5: 0, 10: 0, 30: 1, 60: 1}
"""How many blocks of a look need not show a shift. Some minutes of trouble that happen to begin
with a deploy fill most of a short look, but hardly all of it."""
PIECE = 10 * MINUTE
PIECES = 6
LATEST_TELEMETRY = HOUR
"""A version that shows up in telemetry later than so after its deploy cannot be judged: neither
what served meanwhile nor what came before then tells of it."""
LONGEST_ROLLOUT = 2 * HOUR


class Plan(msgspec.Struct, frozen=True):
    """`at` is when the deploy counts from, `before` what it is compared with (empty when the
    previous deploy is too near), `after_since` the end of the warm-up, `next_at` the next deploy of
    the same service and env, `came_late_at` the first telemetry of a version that came too late to
    be judged."""

    at: int
    before: Window
    after_since: int
    next_at: int | None
    came_late_at: int | None = None

    @property
    def pieces(self) -> list[Window]:
        """The ten-minute pieces of the time before, the last one ending at the deploy."""
        until = self.before.until
        count = (until - self.before.since) // PIECE
        return [Window(until - n * PIECE, until - (n - 1) * PIECE) for n in range(count, 0, -1)]

    def after(self, look: int) -> Window:
        """What a look compares."""
        return Window(self.after_since, self.after_since + look * MINUTE)

    def can_look(self, look: int) -> bool:
        """Whether the window of a look ends before the next deploy."""
        return self.next_at is None or self.after(look).until <= self.next_at

    @property
    def looks(self) -> list[int]:
        """The looks that there can be."""
        if self.came_late_at is not None:
            return []
        return [look for look in LOOKS if self.can_look(look)]


def plan_windows(
    deployed_at: int,
    started_at: int | None,
    first_seen_at: int | None,
    previous_at: int | None,
    next_at: int | None,
) -> Plan:
    """The windows of a deploy between its neighbours; all in µs.

    `first_seen_at` is the first telemetry of its version: the deploy counts from there when that is
    later. While it was rolled out both versions served, so the time before ends at its start.
    """
    at, came_late_at = deployed_at, None
    if first_seen_at is not None and first_seen_at > deployed_at + LATEST_TELEMETRY:
        came_late_at = first_seen_at
    elif first_seen_at is not None and first_seen_at > deployed_at:
        at = first_seen_at
    began = deployed_at
    if started_at is not None and deployed_at - LONGEST_ROLLOUT <= started_at < deployed_at:
        began = started_at
    until = began - began % MINUTE
    since = until - PIECES * PIECE
    if previous_at is not None:
        since = max(since, previous_at + -previous_at % MINUTE + WARM_UP)
    if until - since < PIECE:
        since = until
    return Plan(at, Window(since, until), at + -at % MINUTE + WARM_UP, next_at, came_late_at)


def cut_blocks(window: Window) -> list[Window]:
    """The five equal blocks of the time after."""
    length = (window.until - window.since) // BLOCKS
    return [
        Window(window.since + i * length, window.since + (i + 1) * length) for i in range(BLOCKS)
    ]
