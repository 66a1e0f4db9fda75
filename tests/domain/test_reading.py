"""Every row of the contract's field table, and every bad field named as the sender wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.deploys.payload import ALIASES, DeployPayload
from miniapm.domain.deploys.reading import Defaults, parse_deploy
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.exceptions import Invalid
from tests.domain.test_strict_json import JSON_VALUES
from tests.factories import START

DEFAULTS = Defaults(project_id=7, service="shop", env="staging", key_id=9)
NAMES = (*DeployPayload.__struct_fields__, *ALIASES)


def parse(**fields: Any) -> Announcement:
    body = {"git_sha": "abc123", **fields}
    return parse_deploy(json.dumps(body).encode(), DEFAULTS, START)


def refuse(**fields: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse(**fields)
    return caught.value.fields


def test_the_sha_alone_is_enough() -> None:
    announcement = parse_deploy(b'{"git_sha": "abc123"}', DEFAULTS, START)
    assert announcement == Announcement(
        project_id=7,
        service="shop",
        env="staging",
        git_sha="abc123",
        status="succeeded",
        at=START,
        at_given=False,
        received_at=START,
        key_id=9,
        given=frozenset({"git_sha"}),
    )


def test_every_field_arrives() -> None:
    announcement = parse(
        version="v1.2.3",
        env="production",
        service="web",
        deployer="github-actions",
        description="Fix payment\nand more",
        title="Payments",
        tags=["is_fix", "sev1, sev2"],
        timestamp="2024-01-15T14:30:00Z",
        started_at="2024-01-15T14:20:00Z",
        status="failed",
        url="https://ci.example.com/7",
        repository="git@github.com:acme/shop.git",
        id="run-7",
        commits=[{"sha": "c1", "timestamp": 1705329000, "message": "m", "author": "a"}],
        unknown={"is": ["ignored", None]},
    )
    assert announcement.version == "v1.2.3"
    assert (announcement.env, announcement.service) == ("production", "web")
    assert announcement.description == "Fix payment\nand more"
    assert (announcement.title, announcement.deployer) == ("Payments", "github-actions")
    assert announcement.tags == ("is_fix", "sev1", "sev2")
    assert announcement.at == 1_705_329_000 * SECOND
    assert announcement.started_at == announcement.at - 10 * MINUTE
    assert announcement.at_given
    assert announcement.status == "failed"
    assert announcement.url == "https://ci.example.com/7"
    assert announcement.repository == "git@github.com:acme/shop.git"
    assert announcement.external_id == "run-7"
    assert announcement.commits == (Commit("c1", 1_705_329_000 * SECOND, "m", "a"),)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"git_sha", "status", "commits"}))
@pytest.mark.parametrize("nothing", [None, "", "  \t"])
def test_null_and_blank_mean_absent(name: str, nothing: str | None) -> None:
    assert parse(**{name: nothing}) == parse()


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_a_blank_sha_is_missing(nothing: str | None) -> None:
    assert refuse(git_sha=nothing) == {"git_sha": "is required"}


def test_text_is_trimmed() -> None:
    announcement = parse(git_sha=" abc ", version="\tv1 ", tags=" a , ,b,a ")
    assert (announcement.git_sha, announcement.version) == ("abc", "v1")
    assert announcement.tags == ("a", "b")


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("git_sha", 200),
        ("version", 200),
        ("env", 100),
        ("environment", 100),
        ("service", 100),
        ("deployer", 200),
        ("id", 200),
    ],
)
def test_names_have_a_longest_length(name: str, longest: int) -> None:
    parse(**{name: "x" * longest})
    assert refuse(**{name: "x" * (longest + 1)}) == {
        name: f"must be at most {longest} characters long"
    }


@pytest.mark.parametrize(("name", "limit"), [("description", 10_000), ("title", 500)])
def test_long_text_is_cut_with_a_mark(name: str, limit: int) -> None:
    assert getattr(parse(**{name: "x" * limit}), name) == "x" * limit
    cut = getattr(parse(**{name: "x" * (limit + 1)}), name)
    assert len(cut) == limit
    assert cut.endswith("x \N{HORIZONTAL ELLIPSIS} [cut]")


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"tags", "timestamp", "deployed_at"}))
@pytest.mark.parametrize(
    ("value", "word"), [(5, "a number"), (1.5, "a number"), (True, "true or false"), ({}, "object")]
)
def test_another_type_is_refused_in_plain_words(name: str, value: object, word: str) -> None:
    [(named, reason)] = refuse(**{name: value}).items()
    assert named == name
    if name == "started_at":
        assert reason.startswith(("must be text or a number, not", "is before", "must be an ISO"))
    else:
        assert reason.startswith("must be ")
        assert reason.endswith(word)


def test_aliases_mean_the_same() -> None:
    assert parse(environment="production").env == "production"
    assert parse(env="production", environment=" production ").env == "production"
    assert parse(deployed_at=1705329000).at == 1_705_329_000 * SECOND
    assert set(refuse(env="a", environment="b")) == {"env", "environment"}
    assert set(refuse(timestamp=1705329000, deployed_at=1705329001)) == {
        "timestamp",
        "deployed_at",
    }
    assert set(refuse(env=["a"], environment=["a"])) == {"env", "environment"}


def test_a_bad_field_is_named_as_the_sender_wrote_it() -> None:
    assert set(refuse(environment=5, deployed_at="soon", env="")) == {"environment", "deployed_at"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"commits", "tags", "description", "title"}))
@pytest.mark.parametrize("bad", ["a\x00b", "a\nb", "a\x1bb", "a\x85b", "a\u2028b", "a\ud800b"])
def test_control_characters_are_refused(name: str, bad: str) -> None:
    assert refuse(**{name: bad}) == {name: f"holds the control character U+{ord(bad[1]):04X}"}


@pytest.mark.parametrize("name", ["description", "title"])
def test_longer_text_may_have_lines_but_no_controls(name: str) -> None:
    assert getattr(parse(**{name: "a\r\nb\tc"}), name) == "a\nb\tc"
    assert refuse(**{name: "a\x00b"}) == {name: "holds the control character U+0000"}


def test_letters_of_any_script_are_welcome() -> None:
    announcement = parse(deployer="Zoë 部署 \U0001f680", title="a\u00a0b")
    assert announcement.deployer == "Zoë 部署 \U0001f680"


@pytest.mark.parametrize("name", ["git_sha", "version", "env", "environment", "service"])
@pytest.mark.parametrize(
    "template",
    [
        "${GIT_SHA}",
        "${{ github.sha }}",
        "$CI_COMMIT_SHA",
        "$(git rev-parse HEAD)",
        "{{ version }}",
        "#{fetch(:current_revision)}",
        "<%= `git rev-parse HEAD`.strip %>",
        "v1-${X",
    ],
)
def test_a_template_that_was_not_filled_in_is_named(name: str, template: str) -> None:
    [(named, reason)] = refuse(**{name: template}).items()
    assert named == name
    assert reason.startswith("holds '")
    assert reason.endswith("which was not filled in before sending")


def test_templates_elsewhere_are_text() -> None:
    assert parse(description="costs $5, ${x}", version="v1.0$").description == "costs $5, ${x}"


def test_looking_for_templates_takes_no_time() -> None:
    fields = refuse(version="{{" * 400_000 + "\nx")
    assert set(fields) == {"version"}


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (5, "must be text or a list, not a number"),
        (["a", 5], "[1] must be text, not a number"),
        (["a", None], "[1] must be text, not null"),
        (",".join(map(str, range(51))), "are 51; at most 50 are kept"),
        (["x" * 101], "hold one of more than 100 characters"),
        ("a,b\x00c", "hold a control character"),
        (["\ud800"], "hold a control character"),
    ],
)
def test_bad_tags(tags: object, reason: str) -> None:
    assert refuse(tags=tags) == {"tags": reason}


def test_good_tags() -> None:
    assert parse(tags=[]).tags == ()
    assert parse(tags="is_fix, is_failure,sev1").tags == ("is_fix", "is_failure", "sev1")
    assert len(parse(tags=["x" * 100, *map(str, range(49))]).tags) == 50


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ci.example.com/a?b=c#d", "https://ci.example.com/a?b=c#d"),
        ("HTTP://ci.example.com", "http://ci.example.com"),
        ("https://bot:hunter2@ci.example.com:8443/a", "https://ci.example.com:8443/a"),
    ],
)
def test_links_keep_no_credentials(url: str, kept: str) -> None:
    announcement = parse(url=url, repository=url)
    assert (announcement.url, announcement.repository) == (kept, kept)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://a/b",
        "ci.example.com",
        "http://",
        "https:///a",
        "http://a b",
        "http://a:99999",
        "http://[::1",
        "data:text/html,x",
    ],
)
def test_only_http_links(url: str) -> None:
    assert refuse(url=url, repository=url) == {
        "url": "must be an http or https address",
        "repository": "must be an http or https address, or git@host:path",
    }


def test_times_out_of_range_are_refused() -> None:
    assert refuse(timestamp="1999-12-31T23:59:59Z") == {"timestamp": "is before the year 2000"}
    assert parse(timestamp=(START + DAY) // SECOND).at == START + DAY
    late = {"timestamp": (START + DAY) // SECOND + 1}
    assert refuse(**late) == {"timestamp": "is more than 24 hours in the future"}
    assert "timestamp" in refuse(timestamp=10**400)


def test_a_start_is_not_after_the_deploy() -> None:
    at = START // SECOND
    assert parse(timestamp=at, started_at=at).started_at == START
    assert refuse(timestamp=at, started_at=at + 1) == {
        "started_at": "is after the time of the deploy"
    }
    assert refuse(started_at=at + 600) == {"started_at": "is after the time of the deploy"}
    # no end was given and the sender's clock is a little ahead
    assert parse(started_at=at + 60).started_at == START


def test_a_start_is_told_by_either_field() -> None:
    started = parse(status="started", started_at=(START - HOUR) // SECOND)
    assert (started.at, started.at_given, started.started_at) == (START - HOUR, True, None)


@pytest.mark.parametrize("status", ["started", "succeeded", "failed", "cancelled"])
def test_statuses(status: str) -> None:
    assert parse(status=status).status == status


@pytest.mark.parametrize("status", ["timed_out", "success", "SUCCEEDED", "x" * 1000])
def test_other_statuses_are_refused(status: str) -> None:
    assert refuse(status=status) == {"status": "must be started, succeeded, failed or cancelled"}


def test_bad_commits_are_named_by_their_place() -> None:
    good = {"sha": "a", "timestamp": "2024-01-15T14:30:00Z"}
    fields = refuse(
        commits=[
            good,
            {"sha": "b"},
            5,
            {**good, "sha": 5},
            {**good, "timestamp": "soon"},
            {**good, "sha": " "},
            {**good, "author": "a\x00"},
            {**good, "message": ["m"]},
        ]
    )
    assert fields.pop("commits[4]").startswith("timestamp must be an ISO 8601")
    assert fields == {
        "commits[1]": "lacks timestamp",
        "commits[2]": "must be an object, not a number",
        "commits[3]": "sha must be text, not a number",
        "commits[5]": "sha must not be blank",
        "commits[6]": "holds the control character U+0000",
        "commits[7]": "message must be text, not a list",
    }


def test_a_thousand_commits_are_kept_and_no_more() -> None:
    commits = [{"sha": f"c{i}", "timestamp": 1705329000} for i in range(1000)]
    assert len(parse(commits=commits).commits) == 1000
    assert refuse(commits=[*commits, commits[0]]) == {
        "commits": "must be at most 1000 entries long"
    }
    assert len(parse(commits=[commits[0], commits[0]]).commits) == 1


def test_every_bad_field_is_named_at_once() -> None:
    bad: dict[str, Any] = {
        "git_sha": None,
        "version": "$V",
        "environment": 5,
        "service": "x" * 101,
        "deployer": "a\x00",
        "description": 1,
        "title": [],
        "tags": 5,
        "deployed_at": "soon",
        "started_at": "sooner",
        "status": "done",
        "url": "ftp://x",
        "repository": "x",
        "id": 5,
        "commits": {},
    }
    assert set(refuse(**bad)) == set(bad)
    with pytest.raises(Invalid, match=r"^.* also look at .*\.$"):
        parse(**bad)


@given(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES))
def test_any_value_in_any_field_gives_an_announcement_or_invalid(fields: dict[str, Any]) -> None:
    body = json.dumps({"git_sha": "abc", **fields}).encode()
    refused: Invalid | None = None
    try:
        announcement = parse_deploy(body, DEFAULTS, START)
    except Invalid as error:
        refused = error
    if refused is not None:
        assert json.dumps(refused.fields, ensure_ascii=False).encode() != b"{}"
        assert refused.message.encode()
        return
    for text in (announcement.git_sha, announcement.env, announcement.service):
        assert 0 < len(text.encode()) <= 800


@given(st.sampled_from(NAMES), st.sampled_from(["9" * 4000, "1e400", "-1e400", "1e-400"]))
def test_extreme_numbers_give_invalid(name: str, number: str) -> None:
    body = b'{"git_sha": "abc", "%s": %s}' % (name.encode(), number.encode())
    with pytest.raises(Invalid):
        parse_deploy(body, DEFAULTS, START)


@pytest.mark.parametrize("name", [*NAMES, "ignored"])
def test_deep_nesting_never_crashes(name: str) -> None:
    for depth in (50, 400, 900, 20_000):
        nested = b"[" * depth + b"]" * depth
        body = b'{"git_sha": "abc", "%s": %s}' % (name.encode(), nested)
        try:
            parse_deploy(body, DEFAULTS, START)
        except Invalid:
            continue
        assert name == "ignored"


@pytest.mark.parametrize("name", NAMES)
def test_a_mebibyte_of_text_never_crashes(name: str) -> None:
    for text in ("x" * 2**20, "{{" * 2**19, "\n" * 2**20, ",a" * 2**19):
        message = ""
        try:
            parse(**{name: text})
        except Invalid as error:
            message = error.message
        assert len(message) < 500
