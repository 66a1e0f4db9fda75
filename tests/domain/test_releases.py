"""Which version is which, and what a release tells of a deploy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR
from miniapm.domain.deploys.commits import is_sha
from miniapm.domain.deploys.lifecycle import fold
from miniapm.domain.releases import (
    SeenRelease,
    add_release,
    find_announced_after,
    find_announced_before,
    find_observed,
    is_named,
    is_same,
    label_deploy,
    label_release,
    may_be_part_of,
    may_be_recorded,
    open_observed,
    to_release,
)
from miniapm.domain.spans.values import ReleaseName
from tests.factories import START, make_announcement, make_deploy

SHA, OTHER = "a1" * 20, "b2" * 20


def name(version: str = "", revision: str = "", env: str = "production") -> ReleaseName:
    return ReleaseName("shop", env, version, revision)


def seen(version: str = "", revision: str = "", at: int = START) -> SeenRelease:
    return SeenRelease(name(version, revision), at, START)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a1b2c3d", True),
        (SHA, True),
        ("1" * 40, True),
        ("20240101", False),
        ("a1b2c3", False),
        ("v1.2.3-abc", False),
        ("", False),
    ],
)
def test_a_sha_is_hexadecimal_and_no_date(text: str, expected: bool) -> None:
    assert is_sha(text) is expected


@pytest.mark.parametrize(
    ("version", "revision", "git_sha", "deployed", "expected"),
    [
        ("", SHA, SHA, None, True),
        ("", SHA[:7], SHA, None, True),
        ("", SHA, SHA[:7], None, True),
        ("", SHA.upper(), SHA, None, True),
        ("", SHA[:6], SHA, None, False),
        ("v1", SHA, OTHER, "v1", False),
        ("v1", "", OTHER, "v1", True),
        ("v1", "", OTHER, "v2", False),
        ("v1", "", OTHER, None, False),
        ("v1", SHA, "v1", None, True),
        ("v1", SHA, "v1", "v1", True),
        (SHA, "", SHA, SHA, True),
        ("", SHA, SHA, SHA, True),
        (SHA[:8], "", SHA, "v1", True),
        ("20240101", "", "20240101" + "0" * 32, None, True),
        ("2024", "", "2024.1", None, False),
        ("main", "main", "main", None, True),
    ],
)
def test_commits_decide_where_both_have_them(
    version: str, revision: str, git_sha: str, deployed: str | None, expected: bool
) -> None:
    release, deploy = label_release(name(version, revision)), label_deploy(git_sha, deployed)
    assert is_same(release, deploy) is expected
    assert is_same(deploy, release) is expected


texts = st.sampled_from(["", "v1", "v2", SHA, SHA[:7], OTHER, "20240101"])


@given(texts, texts)
def test_a_release_is_the_deploy_that_it_opened(version: str, revision: str) -> None:
    release = seen(version, revision)
    if not is_named(release.name):
        return
    deploy = open_observed(1, release, 7, START)
    assert is_same(label_release(release.name), label_deploy(deploy.git_sha, deploy.version))
    assert add_release(deploy, release, START) is deploy
    assert find_observed(release, [deploy]) == [deploy]
    assert add_release(deploy, to_release(deploy), START) is deploy


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        (name("v1"), True),
        (name("", SHA), True),
        (name(), False),
        (name("other"), False),
        (name("other", SHA), True),
        (name("v1", env="other"), False),
        (ReleaseName("other", "production", "v1", ""), False),
    ],
)
def test_what_is_past_the_caps_has_no_name(given_name: ReleaseName, expected: bool) -> None:
    assert is_named(given_name) is expected


def test_old_news_is_not_recorded() -> None:
    assert may_be_recorded(seen("v1"), START + HOUR)
    assert not may_be_recorded(seen("v1"), START + HOUR + 1)
    assert not may_be_recorded(SeenRelease(name("v1", env="Test"), START, START), START)
    assert not may_be_recorded(seen(), START)


def test_the_latest_announced_before_is_meant_and_hidden_ones_last() -> None:
    old = make_deploy(id=1, deployed_at=START - 2)
    new = make_deploy(id=2, deployed_at=START)
    hidden = make_deploy(id=3, deployed_at=START, hidden_at=START)
    later = make_deploy(id=4, deployed_at=START + 1)
    last = make_deploy(id=5, deployed_at=START + 2)
    observed = make_deploy(id=6, deployed_at=START, sources=("telemetry",))
    rows = [last, observed, hidden, later, new, old]
    assert find_announced_before(rows, START) == new
    assert find_announced_before([hidden, last], START) == hidden
    assert find_announced_before([later, observed], START) is None
    assert find_announced_after(rows, START) == later
    assert find_announced_after([new, old], START) is None


def test_a_version_that_was_there_long_before_is_not_the_commit() -> None:
    row = open_observed(1, seen("1.0.0"), 7, START)
    assert find_observed(seen("1.0.0", SHA, START + DAY), [row]) == [row]
    assert find_observed(seen("1.0.0", SHA, START + DAY + 1), [row]) == []
    # but a part that names no commit may be seen at any time after
    row = open_observed(1, seen("1.0.0", SHA), 7, START)
    assert find_observed(seen("1.0.0", "", START + 9 * DAY), [row]) == [row]
    assert find_observed(seen("1.0.0", "", START - DAY - 1), [row]) == []


def test_two_commits_are_not_one_deploy() -> None:
    one = open_observed(1, seen("1.0.0", SHA), 7, START)
    assert not may_be_part_of(open_observed(1, seen("1.0.0", OTHER), 8, START), one)
    assert may_be_part_of(open_observed(1, seen("1.0.0", "", START + DAY), 8, START), one)
    assert not may_be_part_of(open_observed(1, seen("1.0.0", "", START + DAY + 1), 8, START), one)


def test_a_release_adds_its_commit_its_version_and_an_earlier_time() -> None:
    row = open_observed(1, seen("v1"), 7, START)
    added = add_release(row, seen("v1", SHA[:8], START - 5), START)
    assert (added.git_sha, added.version, added.deployed_at) == (SHA[:8], "v1", START - 5)
    assert added.updated_at == START + 1
    longer = add_release(added, seen("v2", SHA, START + 5), START)
    assert (longer.git_sha, longer.version, longer.deployed_at) == (SHA, "v1", START - 5)


def test_an_announcement_takes_the_place_of_what_was_seen() -> None:
    row = open_observed(1, seen("v1", SHA, START + 50), 7, START + 60)
    a = make_announcement(git_sha=SHA[:7], status="started", source="github", key_id=3)
    adopted = fold(row, a)
    assert (adopted.id, adopted.git_sha, adopted.version) == (7, SHA[:7], None)
    assert (adopted.status, adopted.deployed_at, adopted.started_at) == ("started", START, START)
    assert (adopted.sources, adopted.key_id) == (("github",), 3)
    assert (adopted.recorded_at, adopted.updated_at) == (START + 60, START + 61)
