"""The drawings of verdicts: paths from figures."""

from collections.abc import Sequence

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
    _, line = draw([100] * 3 + [200] * 6)
    # from the middle (1 + 18 / 2) up by 9, then level
    assert line["d"] == "M0 10h1l5-9 6 0"


def test_nothing_served_leaves_a_gap() -> None:
    _, line = draw([100] * 3 + [None] * 6 + [100] * 3)
    assert line["d"] == "M0 1h1M18 1h1"
    assert draw([None] * 3)[1]["d"] == ""


def test_half_a_gap_is_none() -> None:
    _, line = draw([100, None, None, 100, 100, 100])
    assert line["d"] == "M0 1h1l5 0"


def test_a_spike_does_not_flatten_the_rest() -> None:
    _, line = draw([100] * 12 + [100_000] * 3)
    # four times the middle one is the top
    assert line["d"].startswith("M0 15h1l5 0")
    assert line["d"].endswith("6-14")


def test_failed_requests_are_ticks_by_their_share() -> None:
    shares = [0.0, 0.004, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.1, 0.9, 0.0, 0.0]
    paths = draw([100] * 12, shares)
    assert len(paths) == 3
    assert paths[2]["d"] == "M6 20v-2M12 20v-6M18 20v-10"


def test_the_deploy_stands_where_it_was() -> None:
    assert draw([100, 100])[0]["d"] == f"M{HOUR // (6 * MINUTE) * 6} 0v20"


def test_a_line_is_broken_at_gaps_and_lies_within_its_top() -> None:
    assert draw_line([None, 50, 100, None, 0], 100) == "M1 50h.1L2 0M4 100h.1"
    assert draw_line([300], 100) == "M0 0h.1"
    assert draw_line([], 1) == ""
