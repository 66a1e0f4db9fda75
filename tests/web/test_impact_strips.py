"""The drawings of verdicts: paths from figures."""

from collections.abc import Sequence

import pytest

from miniapm.clock import HOUR, MINUTE
from miniapm.domain.impact.minutes import Strip
from miniapm.web.pages.deploy_overlays import draw_line
from miniapm.web.strips import draw_strip
from tests.factories import START
from tests.web.markup import Element, parse_html


def draw(p95_us: Sequence[int | None], failed: list[float] | None = None) -> list[Element]:
    strip = Strip(
        START, START + HOUR, tuple(p95_us), tuple(failed or [0.0] * len(p95_us))
    )  # 2-minute steps
    return parse_html(str(draw_strip(strip))).select("svg path")


def test_points_are_relative_and_the_highest_touches_the_top() -> None:
    [line] = draw([100] * 3 + [200] * 6)
    # from the middle (1 + 18 / 2) up by 9, then level
    assert line["d"] == "M3 10h1l5-9 6 0"


def test_nothing_served_leaves_a_gap() -> None:
    [line] = draw([100] * 3 + [None] * 6 + [100] * 3)
    assert line["d"] == "M3 1h1M21 1h1"
    assert draw([None] * 3)[0]["d"] == ""


def test_half_a_gap_is_none() -> None:
    [line] = draw([100, None, None, 100, 100, 100])
    assert line["d"] == "M3 1h1l5 0"


def test_a_spike_does_not_flatten_the_rest() -> None:
    [line] = draw([100] * 12 + [100_000] * 3)
    # four times the middle one is the top
    assert line["d"].startswith("M3 15h1l5 0")
    assert line["d"].endswith("6-14")


def test_failed_requests_are_ticks_by_their_share() -> None:
    shares = [0.0, 0.004, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.1, 0.9, 0.0, 0.0]
    paths = draw([100] * 12, shares)
    assert len(paths) == 2
    assert paths[1]["d"] == "M9 20v-2M15 20v-6M21 20v-10"


@pytest.mark.parametrize(
    ("deployed_after", "first"), [(60, 3), (66, 3), (120, 3), (54, 9), (0, 63)]
)
def test_the_deploy_is_in_the_middle(deployed_after: int, first: int) -> None:
    """Whatever lies before; what does not fit is not written."""
    strip = Strip(START, START + deployed_after * MINUTE, (100,) * 93, (0.0,) * 93)
    [line] = parse_html(str(draw_strip(strip))).select("svg path")
    assert line["d"].startswith(f"M{first} 1h1l5 0")
    assert first + 6 * line["d"].count(" 0") <= 126


def test_a_line_is_broken_at_gaps_and_lies_within_its_top() -> None:
    assert draw_line([None, 50, 100, None, 0], 100) == "M1 50h.1L2 0M4 100h.1"
    assert draw_line([300], 100) == "M0 0h.1"
    assert draw_line([], 1) == ""
