"""Which deploy an announcement speaks of, and what becomes of it, rule by rule.

What needs rows (other versions in between, ids, permutations) is in tests/storage/test_record.py.
"""

from typing import Any

import msgspec
import pytest

from miniapm.clock import HOUR, MINUTE, SECOND
from miniapm.domain.deploys.lifecycle import fold, open_deploy, time_out
from miniapm.domain.deploys.matching import Match, find_match
from miniapm.domain.deploys.values import Announcement, Deploy
from tests.factories import START, make_announcement

FULL = "aaaaaaa1bbbbbbb2ccccccc3ddddddd4eeeeeee5"


def announce(status: str, minutes: float, **fields: Any) -> Announcement:
    at = START + round(minutes * MINUTE)
    return make_announcement(status=status, at=at, received_at=at, **fields)


def row(announced: str, minutes: float, **fields: Any) -> Deploy:
    """A deploy that was announced once, `minutes` after START."""
    return msgspec.structs.replace(open_deploy(announce(announced, minutes), 1), **fields)


def matches(a: Announcement, *rows: Deploy) -> int | None:
    match = find_match(a, rows, HOUR)
    return None if match is None else match.deploy.id


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize("minutes", [0, 5, 45, 600])
def test_an_end_ends_the_open_deploy_however_long_it_took(end: str, minutes: int) -> None:
    started = row("started", 0)
    a = announce(end, minutes)
    assert find_match(a, [started], HOUR) == Match(started)
    ended = fold(started, a)
    assert (ended.status, ended.deployed_at, ended.started_at) == (end, a.at, START)


def test_an_end_takes_the_latest_open_deploy() -> None:
    assert matches(announce("succeeded", 30), row("started", 0), row("started", 20, id=2)) == 2


def test_an_end_before_the_start_is_not_its_end() -> None:
    assert matches(announce("failed", -1), row("started", 0)) is None


def test_an_end_of_now_ends_a_start_that_a_fast_clock_put_ahead() -> None:
    started = row("started", 2)
    a = announce("succeeded", 0, at_given=False)
    assert matches(a, started) == 1
    ended = fold(started, a)
    assert (ended.deployed_at, ended.started_at) == (START, START)


@pytest.mark.parametrize(
    ("started", "ended", "same"),
    [("v1", "v1", True), ("v1", None, True), (None, "v1", True), ("v1", "v2", False)],
)
@pytest.mark.parametrize("start_first", [True, False])
def test_a_version_may_be_absent_on_one_side_of_start_and_end(
    started: str | None, ended: str | None, same: bool, start_first: bool
) -> None:
    start, end = announce("started", 0, version=started), announce("failed", 1, version=ended)
    first, second = (start, end) if start_first else (end, start)
    known = open_deploy(first, 1)
    assert (matches(second, known) == 1) is same
    if same:
        assert fold(known, second).version == (started or ended)


def test_an_end_prefers_the_start_of_its_own_version() -> None:
    rows = [row("started", 0, version="v1"), row("started", 1, id=2)]
    assert matches(announce("succeeded", 5, version="v1"), *rows) == 1
    assert matches(announce("succeeded", 5, version="v9"), *rows) == 2


def test_a_start_that_arrives_late_belongs_to_the_end_that_follows_it() -> None:
    rows = [row("failed", 5), row("succeeded", 30, id=2)]
    assert matches(announce("started", 2), *rows) == 1
    assert matches(announce("started", 20), *rows) == 2
    assert fold(rows[0], announce("started", 2)).started_at == START + 2 * MINUTE
    # no longer ago than a deploy may take
    assert matches(announce("started", -56), row("failed", 5)) is None


@pytest.mark.parametrize("end", ["failed", "cancelled", "timed_out"])
@pytest.mark.parametrize("again", ["started", "succeeded"])
def test_after_an_end_that_did_not_go_live_it_is_a_new_deploy(end: Any, again: str) -> None:
    ended = row("started", -2, status=end, deployed_at=START)
    assert matches(announce(again, 70 if end == "timed_out" else 1), ended) is None


@pytest.mark.parametrize(
    ("known", "again"),
    [
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("started", "started"),
        ("succeeded", "started"),
    ],
)
@pytest.mark.parametrize(
    ("micros", "is_repeat"),
    [
        (0, True),
        (10 * MINUTE - 1, True),
        (10 * MINUTE, False),
    ],
)
def test_a_repeat_within_ten_minutes(known: str, again: str, micros: int, is_repeat: bool) -> None:
    a = announce(again, micros / MINUTE)
    assert (matches(a, row(known, 0)) == 1) is is_repeat
    if known == again:
        assert (matches(announce(again, -micros / MINUTE), row(known, 0)) == 1) is is_repeat


def test_another_version_is_no_repeat() -> None:
    assert matches(announce("succeeded", 1, version="v2"), row("succeeded", 0)) is None
    both = row("succeeded", 0, version="v2")
    assert matches(announce("succeeded", 1, version="v2"), both) == 1


def test_another_outcome_is_no_repeat() -> None:
    assert matches(announce("failed", 1), row("succeeded", 0)) is None


def test_a_start_after_a_success_is_its_repeat_whichever_arrives_first() -> None:
    started = row("started", 2)
    a = announce("succeeded", 1)
    assert matches(a, started) == 1
    folded = fold(started, a)
    assert (folded.status, folded.deployed_at, folded.started_at) == ("succeeded", a.at, None)


def test_several_roles_that_start_at_different_moments_are_one_deploy() -> None:
    ended = row("succeeded", 30, started_at=START)
    for minutes in (-1, 1, 15, 29):
        assert matches(announce("started", minutes), ended) == 1
    assert fold(ended, announce("started", -1)).started_at == START - MINUTE
    assert fold(ended, announce("started", 15)) == ended


def test_a_repeat_fills_only_what_was_empty() -> None:
    known = row("succeeded", 0, title="first", tags=("a",))
    again = announce(
        "succeeded",
        2,
        title="second",
        tags=("b",),
        description="d",
        deployer="ci",
        started_at=START - MINUTE,
    )
    folded = fold(known, again)
    assert (folded.title, folded.tags) == ("first", ("a",))
    assert (folded.description, folded.deployer) == ("d", "ci")
    assert (folded.deployed_at, folded.started_at) == (START, START - MINUTE)


def test_a_start_is_never_after_its_end() -> None:
    known = row("succeeded", 0)
    assert fold(known, announce("succeeded", 8, started_at=START + 5 * MINUTE)) == known


def test_nothing_new_leaves_the_row_itself() -> None:
    known = row("succeeded", 0)
    assert fold(known, announce("succeeded", 3)) is known


def test_a_fresh_idempotency_key_stops_only_the_repeat_rule() -> None:
    assert matches(announce("succeeded", 1, stands_alone=True), row("succeeded", 0)) is None
    assert matches(announce("succeeded", 1, stands_alone=True), row("started", 0)) == 1


def test_a_new_id_never_matches_by_itself() -> None:
    assert matches(announce("succeeded", 1, external_id="x"), row("succeeded", 0)) is None
    assert matches(announce("succeeded", 1, external_id="x"), row("started", 0)) is None
    foreign = row("succeeded", 0, sources=("github",))
    assert matches(announce("succeeded", 1, external_id="x"), foreign) == 1


def test_every_call_counts_except_an_exact_retry() -> None:
    known = row("succeeded", 0)
    assert matches(announce("succeeded", 0, every_call_counts=True), known) == 1
    assert matches(announce("succeeded", 0.01, every_call_counts=True), known) is None
    unsaid = announce("succeeded", 0, every_call_counts=True, at_given=False)
    assert matches(unsaid, known) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        (FULL, FULL[:7], True),
        (FULL[:7], FULL, True),
        (FULL[:6], FULL, False),
        (FULL[:6], FULL[:6], True),
        (FULL[:10] + "x", FULL, False),
    ],
)
def test_sources_agree_on_a_prefix_of_seven(mine: str, theirs: str, same: bool) -> None:
    known = row("succeeded", 0, git_sha=theirs, sources=("github",))
    assert (matches(announce("succeeded", 1, git_sha=mine), known) == 1) is same


def test_one_source_does_not_mix_up_shas_that_begin_alike() -> None:
    assert matches(announce("succeeded", 1, git_sha=FULL), row("succeeded", 0)) is None


@pytest.mark.parametrize(("minutes", "same"), [(30, True), (-30, True), (30.001, False)])
def test_sources_speak_of_one_deploy_within_half_an_hour(minutes: float, same: bool) -> None:
    known = row("succeeded", 0, sources=("github",))
    assert (matches(announce("succeeded", minutes), known) == 1) is same


def test_the_api_wins_over_another_source() -> None:
    known = row("succeeded", 0, title="hub", url="http://a", sources=("github",), version="main")
    a = announce("succeeded", 1, title="api", git_sha=FULL, version="v1")
    folded = fold(known, a)
    assert (folded.title, folded.version, folded.git_sha) == ("api", "v1", FULL)
    assert (folded.url, folded.sources) == ("http://a", ("github", "api"))
    assert folded.deployed_at == a.at
    later = announce("succeeded", 2, title="hub again", source="github", deployer="bot")
    refolded = fold(folded, later)
    assert (refolded.title, refolded.deployer, refolded.deployed_at) == ("api", "bot", a.at)


@pytest.mark.parametrize("known_sha", [FULL, FULL[:7]])
@pytest.mark.parametrize("sent_sha", [FULL, FULL[:7]])
@pytest.mark.parametrize("source", ["api", "github"])
def test_after_sources_met_each_may_repeat_in_its_own_length(
    known_sha: str, sent_sha: str, source: Any
) -> None:
    known = row("succeeded", 0, git_sha=known_sha, sources=("api", "github"))
    assert matches(announce("succeeded", 1, git_sha=sent_sha, source=source), known) == 1


class TestSameId:
    def fold(self, known: Deploy, status: str, minutes: float, **fields: Any) -> Deploy:
        given = frozenset(fields) | fields.pop("also_given", frozenset())
        return fold(known, announce(status, minutes, external_id="x", given=given, **fields))

    def test_given_fields_overwrite(self) -> None:
        known = row("succeeded", 0, external_id="x", title="a", deployer="ci", tags=("a",))
        folded = self.fold(
            known, "succeeded", 5, title="b", git_sha="fff", env="staging", tags=("b",)
        )
        assert (folded.title, folded.git_sha, folded.env) == ("b", "fff", "staging")
        assert (folded.tags, folded.deployer) == (("b",), "ci")

    def test_place_is_kept_where_it_was_not_given(self) -> None:
        known = row("succeeded", 0, external_id="x")
        assert self.fold(known, "succeeded", 5, at_given=False).env == "production"

    def test_the_later_end_counts(self) -> None:
        known = row("succeeded", 0, external_id="x")
        folded = self.fold(known, "failed", 5, also_given=frozenset({"status"}))
        assert (folded.status, folded.deployed_at) == ("failed", START + 5 * MINUTE)
        assert self.fold(known, "failed", -5, also_given=frozenset({"status"})) == known

    def test_an_end_beats_a_start(self) -> None:
        known = row("succeeded", 0, external_id="x")
        assert self.fold(known, "started", 5, also_given=frozenset({"status"})) == known
        folded = self.fold(known, "started", -5, also_given=frozenset({"status"}))
        assert (folded.status, folded.started_at) == ("succeeded", START - 5 * MINUTE)

    def test_a_status_that_was_not_given_changes_no_end(self) -> None:
        known = row("failed", 0, external_id="x")
        folded = self.fold(known, "succeeded", 5, title="b", at_given=False)
        assert (folded.status, folded.deployed_at, folded.title) == ("failed", START, "b")

    def test_a_given_time_moves_the_deploy(self) -> None:
        known = row("succeeded", 0, external_id="x")
        assert self.fold(known, "succeeded", -5).deployed_at == START - 5 * MINUTE

    def test_an_unsaid_status_ends_a_started_one(self) -> None:
        known = row("started", 0, external_id="x")
        assert self.fold(known, "succeeded", 5, at_given=False).status == "succeeded"


class TestTimedOut:
    known = time_out(row("started", 0), HOUR, START + 2 * HOUR)

    def test_it_ends_a_timeout_after_its_start(self) -> None:
        assert self.known.status == "timed_out"
        assert (self.known.started_at, self.known.deployed_at) == (START, START + HOUR)

    @pytest.mark.parametrize(
        ("end", "minutes", "replaces"),
        [
            ("succeeded", 59, True),
            ("succeeded", 60, True),
            ("succeeded", 61, False),
            ("failed", 61, True),
            ("cancelled", 600, True),
            ("failed", -1, False),
        ],
    )
    def test_what_arrives_later_may_replace_it(
        self, end: str, minutes: int, replaces: bool
    ) -> None:
        a = announce(end, minutes)
        assert (matches(a, self.known) == 1) is replaces
        if replaces:
            folded = fold(self.known, a)
            assert (folded.status, folded.deployed_at) == (end, a.at)
            assert folded.started_at == START


def test_a_start_that_arrives_twice_keeps_the_earlier_time() -> None:
    known = row("started", 0)
    assert fold(known, announce("started", 5)) is known
    assert fold(known, announce("started", -5)).deployed_at == START - 5 * MINUTE


def test_every_change_moves_updated_at_forward() -> None:
    known = row("started", 0, updated_at=START + HOUR)
    assert fold(known, announce("succeeded", 1)).updated_at == START + HOUR + 1
    assert time_out(known, HOUR, START).updated_at == START + HOUR + 1


def test_a_new_deploy_keeps_what_was_announced() -> None:
    a = announce("succeeded", 1, title="t", tags=("a",), started_at=START, key_id=5)
    made = open_deploy(a, 7)
    assert (made.id, made.title, made.tags, made.key_id) == (7, "t", ("a",), 5)
    assert (made.deployed_at, made.started_at) == (a.at, START)
    assert open_deploy(announce("started", 1), 8).started_at == START + 60 * SECOND
