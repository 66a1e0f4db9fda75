"""What the endpoints page was asked for beyond its filters: by what it is sorted, which page."""

from collections.abc import Mapping
from typing import NamedTuple, cast
from urllib.parse import urlencode

from miniapm.storage.endpoints.find import SORTS, Order, Sort
from miniapm.web.filters import PageFilter, read_filter, refuse_any

PAGE_SIZE = 100
_DEFAULT: Sort = "time"
_ORDERS = ("asc", "desc")


class Column(NamedTuple):
    """A column that can be sorted by."""

    sort: Sort
    words: str
    hint: str


COLUMNS = (
    Column("name", "Endpoint", "The route, or the path with its ids folded away"),
    Column("calls", "Calls", "How often it was called, and when"),
    Column("time", "Time", "Its share of the time that all endpoints took together"),
    Column("p50", "p50", "Half of its calls took at most so long"),
    Column("p95", "p95", "95 of 100 calls took at most so long"),
    Column("p99", "p99", "99 of 100 calls took at most so long"),
    Column("errors", "Errors", "The share of its calls that failed"),
    Column(
        "change",
        "p95 since deploy",
        "The p95 since the last live deploy, against as long before it; below it the calls before "
        "and since",
    ),
)


class EndpointsQuery(NamedTuple):
    """The filters, and the place in the list."""

    filter: PageFilter
    sort: Sort = _DEFAULT
    order: str = ""
    page: int = 1

    @property
    def offset(self) -> int:
        return (self.page - 1) * PAGE_SIZE

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the time narrows the list."""
        return any((self.filter.env, self.filter.service, self.filter.q))

    @property
    def is_descending(self) -> bool:
        """Figures begin with the highest, names with A, unless `order` says otherwise."""
        return (self.order or _first_order(self.sort)) == "desc"

    def to_order(self) -> Order:
        return Order(self.sort, self.is_descending, self.offset, PAGE_SIZE)

    def sorted_by(self, sort: Sort) -> str:
        """The query that sorts by a column; by the column that it is sorted by, turned around."""
        if sort != self.sort:
            return self._replace(sort=sort, order="", page=1).write()
        order = "asc" if self.is_descending else "desc"
        return self._replace(order=order, page=1).write()

    def is_sorted_by(self, sort: Sort) -> str:
        """`ascending` or `descending`, "" when it is sorted by another column."""
        if sort != self.sort:
            return ""
        return "descending" if self.is_descending else "ascending"

    def at_page(self, page: int) -> str:
        return self._replace(page=page).write()

    def without_names(self) -> str:
        """The query that leaves only the time and the order."""
        return self._change_filter(env="", service="", q="")

    def over(self, named: str) -> str:
        """The query over another range."""
        return self._change_filter(range=named, since="", until="")

    def _change_filter(self, **changes: str) -> str:
        return self._replace(filter=self.filter._replace(**changes), page=1).write()

    def write(self) -> str:
        """As `?name=value&...`; "" when nothing is set."""
        pairs: list[tuple[str, str]] = []
        if self.sort != _DEFAULT:
            pairs.append(("sort", self.sort))
        if self.order and self.order != _first_order(self.sort):
            pairs.append(("order", self.order))
        if self.page > 1:
            pairs.append(("page", str(self.page)))
        filters = self.filter.query()
        if not pairs:
            return filters
        return f"{filters}{'&' if filters else '?'}{urlencode(pairs)}"


def read_endpoints_query(given: Mapping[str, str]) -> EndpointsQuery:
    """Invalid names what cannot be."""
    wanted = read_filter(given)
    sort, order = given.get("sort") or _DEFAULT, given.get("order") or ""
    page = given.get("page") or "1"
    problems = {}
    if sort not in SORTS:
        problems["sort"] = f"is one of {', '.join(SORTS)}"
    if order and order not in _ORDERS:
        problems["order"] = f"is one of {', '.join(_ORDERS)}"
    if not (page.isascii() and page.isdigit() and len(page) <= 4 and int(page)):
        problems["page"] = "is a number from 1 on"
    refuse_any(problems)
    return EndpointsQuery(wanted, cast("Sort", sort), order, int(page))


def _first_order(sort: Sort) -> str:
    return "asc" if sort == "name" else "desc"
