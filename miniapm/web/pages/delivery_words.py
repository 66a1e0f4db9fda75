"""The delivery metrics in words and small charts."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup, escape

from miniapm.clock import DAY, HOUR
from miniapm.domain.delivery.bands import BAND_YEAR, Level
from miniapm.domain.delivery.periods import Period, PeriodName
from miniapm.domain.percents import tell_share
from miniapm.web.time_zone import Zone
from miniapm.web.times import tell_duration, tell_month_day

NO_DATA = "no data"
TO = " to "
_WEEK_DAYS = 7
_MONTH_DAYS = 30.44
_COLUMN, _GAP, _HEIGHT = 8, 3, 48


def tell_frequency(per_day: float | None) -> str:
    """`3.2 a day`, `4.1 a week`, `0.5 a month`."""
    if per_day is None:
        return NO_DATA
    for days, name in ((1, "day"), (_WEEK_DAYS, "week")):
        if per_day * days >= 1:
            return f"{per_day * days:.1f} a {name}"
    return f"{per_day * _MONTH_DAYS:.1f} a month"


def tell_wait(micros: int | None) -> str:
    """`42 s`, `5 h 20 min`, `3 d 4 h`, `12 d`."""
    if micros is None:
        return NO_DATA
    if micros < DAY:
        return tell_duration(micros)
    days, rest = divmod(micros, DAY)
    hours = rest // HOUR
    return f"{days} d {hours} h" if hours and days < _WEEK_DAYS else f"{days} d"


def tell_rate(share: float | None) -> str:
    """`7.1 %`, `12 %`, `0 %`; `no data` where there is no deploy."""
    return NO_DATA if share is None else tell_share(share)


def tell_band(level: Level | None) -> str:
    """`high in DORA 2023`; "" for none."""
    return "" if level is None else f"{level} in DORA {BAND_YEAR}"


def tell_period(period: Period, name: PeriodName, zone: Zone) -> str:
    """`9 Oct`, `9 Oct to 15 Oct`, `October 2025`."""
    begin: datetime = zone.local(period.since)
    if name == "month":
        return f"{begin:%B %Y}"
    if name == "day":
        return tell_month_day(begin)
    return f"{tell_month_day(begin)}{TO}{tell_month_day(zone.local(period.until - 1))}"


def draw_columns(
    values: Sequence[float | None], labels: Sequence[str], open_from: int, about: str
) -> Markup:
    """A column for each period, oldest first, from zero up to the highest: a gap where there is no
    data, a line at the foot for zero. Those from `open_from` on are not over yet.

    `labels` are what each column says when it is pointed at.
    """
    highest = max((value for value in values if value is not None), default=0) or 1
    step = _COLUMN + _GAP
    columns = []
    for place, (value, label) in enumerate(zip(values, labels, strict=True)):
        if value is None:
            continue
        height = max(1, round(value / highest * (_HEIGHT - 2)))
        css = ' class="open"' if place >= open_from else ""
        columns.append(
            f'<rect{css} x="{place * step}" y="{_HEIGHT - height}" width="{_COLUMN}" '
            f'height="{height}"><title>{escape(label)}</title></rect>'
        )
    width = max(1, len(values)) * step - _GAP
    return Markup(  # noqa: S704 - numbers, and labels that are escaped
        f'<svg class="trend" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(about)}">{"".join(columns)}</svg>'
    )
