"""What has had its time when."""

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.config import Config
from miniapm.domain.ranges import KEPT
from miniapm.domain.retention import Lifetimes, find_cut_offs
from miniapm.domain.spans.ids import to_arrival
from tests.factories import START

LIFETIMES = Lifetimes(
    spans=7 * DAY, errors=30 * DAY, minutes=16 * DAY, ten_minutes=90 * DAY, hours=400 * DAY
)


def test_the_defaults_are_those_that_pages_count_on() -> None:
    lifetimes = Config().lifetimes
    assert lifetimes == LIFETIMES
    assert lifetimes.resolutions == KEPT


def test_cut_offs() -> None:
    now = START + 7 * MINUTE
    cut_offs = find_cut_offs(LIFETIMES, now)
    assert 0 <= to_arrival(cut_offs.batch_id) - (now - 7 * DAY) + 128 <= 128
    assert cut_offs.occurrences == now - 30 * DAY
    assert cut_offs.names < now - 414 * DAY
    for resolution, lifetime in LIFETIMES.resolutions.items():
        assert cut_offs.figures[resolution] % HOUR == 0
        assert now - lifetime - HOUR < cut_offs.figures[resolution] <= now - lifetime


def test_figures_have_something_to_do_once_an_hour() -> None:
    hour = START - START % HOUR
    seen = {tuple(find_cut_offs(LIFETIMES, hour + m * MINUTE).figures.values()) for m in range(60)}
    assert len(seen) == 1
