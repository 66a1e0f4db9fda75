"""What a chart of a page has drawn: its axis, label by label, and the deploys that stand on it."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

RECORD_TEXTS = """
{
    const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...args) {
        this.canvas.texts = [];
        clearRect.apply(this, args);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        this.canvas.texts.push({ text, x: x / devicePixelRatio, y: y / devicePixelRatio });
        fillText.call(this, text, x, y);
    };
}
"""
"""A script for the beginning of a page: each canvas remembers the texts that are drawn on it."""

_READ = """(chart) => {
    const figure = document.querySelector(`#chart-${chart}`);
    const canvas = figure.querySelector("canvas");
    const whole = canvas.getBoundingClientRect();
    const plot = figure.querySelector(".u-over").getBoundingClientRect();
    const { since, until } = figure.closest(".charts").dataset;
    return {
        since: Number(since),
        until: Number(until),
        left: plot.left - whole.left,
        width: plot.width,
        bottom: plot.bottom - whole.top,
        texts: canvas.texts,
        flags: [...figure.querySelectorAll(".flag.line")].map(
            (flag) => flag.getBoundingClientRect().left - whole.left),
    };
}"""


@dataclass(frozen=True)
class Label:
    """A text under the plot, and where its middle is."""

    text: str
    x: float


@dataclass(frozen=True)
class Drawing:
    """A chart that shows since <= t < until, in µs. Places are in pixels from its canvas's left:
    the plot begins at `left` and is `width` wide, `flags` are the lines of deploys."""

    since: int
    until: int
    left: float
    width: float
    labels: list[Label]
    flags: list[float]

    def place(self, instant: int) -> float:
        """Where `instant` stands."""
        return self.left + (instant - self.since) / (self.until - self.since) * self.width

    def at(self, x: float) -> float:
        """The instant at a place."""
        return self.since + (x - self.left) / self.width * (self.until - self.since)


def read_drawing(page: Page, chart: str) -> Drawing:
    """The chart of this name as it is at this moment; the page began with `RECORD_TEXTS`."""
    read: dict[str, Any] = page.evaluate(_READ, chart)
    texts, bottom = read.pop("texts"), read.pop("bottom")
    labels = [Label(one["text"], one["x"]) for one in texts if one["y"] > bottom]
    return Drawing(labels=labels, **read)
