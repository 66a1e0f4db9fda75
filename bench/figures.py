"""The figures of a bench, as a table for people or JSON for programs."""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; `n` runs or samples stand behind it, `goal` is what is promised."""

    name: str
    value: float
    unit: str
    n: int
    goal: str = ""


@dataclass(frozen=True)
class Options:
    quick: bool
    json: bool


def read_options(description: str) -> Options:
    parser = argparse.ArgumentParser(description=description)
    add_options(parser)
    given = parser.parse_args()
    return Options(given.quick, given.json)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that all benches have."""
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    parser.add_argument("--json", action="store_true", help='print {"figures": [...]}')


def print_figures(figures: Sequence[Figure], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"figures": [asdict(figure) for figure in figures]}))
        return
    width = max(len(figure.name) for figure in figures)
    print(f"{'figure':<{width}}  {'value':>12}  {'unit':<8}  {'n':>5}  goal")
    for figure in figures:
        value = f"{figure.value:,.3g}" if figure.value < 1000 else f"{figure.value:,.0f}"
        print(
            f"{figure.name:<{width}}  {value:>12}  {figure.unit:<8}  {figure.n:>5}  {figure.goal}"
        )


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
