"""Which time the delivery numbers are of."""

import pytest

from miniapm.clock import DAY, to_rfc3339
from miniapm.domain.delivery.periods import cut_into_periods
from miniapm.domain.instants import YEAR_2000
from miniapm.exceptions import Invalid
from miniapm.web.delivery_stretch import MOST_PERIODS, find_stretch
from miniapm.web.filters import PageFilter
from miniapm.web.time_zone import Zone
from tests.factories import START

NOW = to_rfc3339(START)


@pytest.mark.parametrize("period", ["", "day", "week", "month"])
def test_no_stretch_is_longer_than_deploys_can_be(period: str) -> None:
    wanted = PageFilter(since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z")
    asked, chosen = find_stretch(wanted, period, START, Zone())
    assert (asked.since, asked.until) == (YEAR_2000, START + DAY + 1)
    assert chosen == "month"
    periods = cut_into_periods(asked.since, asked.until, chosen, Zone().rules)
    assert len(periods) <= MOST_PERIODS


@pytest.mark.parametrize(
    ("since", "until"),
    [("", "1999-12-31T00:00:00Z"), ("9998-01-01T00:00:00Z", ""), (NOW, NOW)],
)
def test_a_stretch_without_time_is_refused(since: str, until: str) -> None:
    with pytest.raises(Invalid, match="from"):
        find_stretch(PageFilter(since=since, until=until), "", START, Zone())
