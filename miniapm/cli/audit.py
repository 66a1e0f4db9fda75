"""The act that a command writes to the audit trail."""

from miniapm import clock
from miniapm.domain.ids import IdMaker
from miniapm.storage.audit import Act


def make_act() -> Act:
    """By the command line, now."""
    return Act("command line", clock.now(), IdMaker(clock.now))
