"""A line of counts over time, small enough for a row of a table."""

from collections.abc import Sequence

from markupsafe import Markup

_STEP = 3
_HEIGHT = 20


def draw_sparkline(counts: Sequence[int]) -> Markup:
    """`counts`, oldest first, as an SVG; from zero up to the highest of them."""
    highest = max(counts, default=0) or 1
    # half a stroke stays free at the top and at the bottom
    bottom, scale = _HEIGHT - 1, _HEIGHT - 2
    heights = [bottom - round(count * scale / highest) if count else bottom for count in counts]
    line = " ".join([f"{place * _STEP} {height}" for place, height in enumerate(heights)])
    width = max(1, len(counts) - 1) * _STEP
    # numbers alone: Markup.format would take as long as all the rest
    return Markup(  # noqa: S704
        f'<svg class="sparkline" viewBox="0 0 {width} {_HEIGHT}" aria-hidden="true">'
        f'<path d="M{line or "0 0"}"/></svg>'
    )
