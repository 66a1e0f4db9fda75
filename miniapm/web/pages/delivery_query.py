"""What the delivery page was asked for, and the links from it to itself."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from miniapm.domain.delivery.behind import LEFT_OUT_LISTS, LISTS, Behind, LeftOutList
from miniapm.domain.delivery.periods import PERIOD_NAMES
from miniapm.web.filters import PageFilter, read_filter, refuse_any

PAGE_SIZE = 25
_FIRST_LIST: Behind = "failed"
_LISTS: tuple[Behind | LeftOutList, ...] = (*LISTS, *LEFT_OUT_LISTS)
_LEFT_UNSAID = (("page", "1"), ("list", _FIRST_LIST))


class DeliveryQuery(NamedTuple):
    """`period` is "" where none is chosen; `behind` is the list that is open, `page` counts from
    one."""

    filter: PageFilter
    period: str
    behind: Behind | LeftOutList
    page: int

    def query(self, **changes: str) -> str:
        """This page with `changes`, as `?name=value&...`. Another list begins at its first page."""
        pairs = dict(parse_qsl(self.filter.query().removeprefix("?")))
        pairs |= {"period": self.period, "list": self.behind, **changes}
        kept = {n: v for n, v in pairs.items() if v and (n, v) not in _LEFT_UNSAID}
        return f"?{urlencode(kept)}" if kept else "?"


def read_delivery_query(given: Mapping[str, str]) -> DeliveryQuery:
    """Invalid names every part of the address that cannot be."""
    wanted = read_filter(given)
    period, behind, page = (given.get(name, "").strip() for name in ("period", "list", "page"))
    problems = {}
    if period and period not in PERIOD_NAMES:
        problems["period"] = f"is one of {', '.join(PERIOD_NAMES)}"
    if behind and behind not in _LISTS:
        problems["list"] = f"is one of {', '.join(_LISTS)}"
    if page and not (page.isascii() and page.isdigit() and int(page[:9]) > 0 and len(page) < 9):
        problems["page"] = "is a whole number from 1 on"
    refuse_any(problems)
    chosen = next((name for name in _LISTS if name == behind), _FIRST_LIST)
    return DeliveryQuery(wanted, period, chosen, int(page or 1))
