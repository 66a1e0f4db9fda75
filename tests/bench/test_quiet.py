"""Which stretches a bench goes by."""

from pathlib import Path

import pytest

from bench import quiet
from bench.quiet import Stretch, choose_quiet, mean_stolen, measure_stretch, measure_until_quiet

LINE = "cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n"


class Host:
    """Takes a share of each stretch, as /proc/stat tells it."""

    def __init__(self, path: Path, *shares: float) -> None:
        self._path = path
        self._shares = list(shares)
        self._user = self._steal = 0
        self.measured = 0
        self._write()

    def measure(self) -> int:
        share = self._shares.pop(0)
        self._user += round(100 * (1 - share))
        self._steal += round(100 * share)
        self.measured += 1
        self._write()
        return self.measured

    def _write(self) -> None:
        self._path.write_text(LINE.format(user=self._user, idle=0, steal=self._steal))


@pytest.fixture
def stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "stat"
    monkeypatch.setattr(quiet, "_STAT", path)
    return path


def test_it_measures_until_there_are_enough_quiet_stretches(stat: Path) -> None:
    host = Host(stat, 0.4, 0.0, 0.2, 0.02, 0.0)
    stretches = measure_until_quiet(host.measure, wanted=2, most=10)
    assert [stretch.value for stretch in stretches] == [1, 2, 3, 4]
    assert [stretch.value for stretch in choose_quiet(stretches)] == [2, 4]
    assert mean_stolen(choose_quiet(stretches)) == pytest.approx(1.0)


def test_it_gives_up_and_goes_by_all_and_says_what_was_taken(stat: Path) -> None:
    host = Host(stat, 0.4, 0.2, 0.3)
    stretches = measure_until_quiet(host.measure, wanted=1, most=3)
    assert [stretch.value for stretch in choose_quiet(stretches)] == [1, 2, 3]
    assert mean_stolen(stretches) == pytest.approx(30.0)


def test_where_the_system_does_not_tell_all_is_quiet(stat: Path) -> None:
    assert measure_stretch(lambda: "value") == Stretch("value", 0.0)
