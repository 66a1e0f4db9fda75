"""Why a deploy is not in a graph or a number: each reason is made for real, and told."""

from typing import Any

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.deploys.values import Commit
from miniapm.domain.doctor import Finding
from miniapm.domain.ids import IdMaker
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.rows import insert_commits, insert_row
from miniapm.storage.doctor.deploy import Terms
from miniapm.storage.doctor.deploys import examine_deploys
from miniapm.storage.doctor.named import examine_named
from miniapm.storage.impact.verdicts import Judged, store_verdict
from miniapm.storage.observed.record import observe_releases
from miniapm.storage.projects import Project
from miniapm.storage.refusals import Refusal, insert_refusal
from tests.factories import START, make_deploy
from tests.impacts import make_endpoint, make_impact
from tests.storage.telemetry_rows import BASE, Telemetry

SHOP = Project(1, "shop", "Shop", START)
SHA = "a1" * 20
AT = BASE + 5 * MINUTE
NOW = BASE + 2 * HOUR
RULES = DeliveryRules()
TERMS = Terms(RULES, HOUR, BASE - DAY)


class Clinic:
    """The deploys of the project shop, and what is found of one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.telemetry = Telemetry(connection)
        self.telemetry.now = NOW

    def deploy(self, deploy_id: int = 1, commits: tuple[Commit, ...] = (), **fields: Any) -> None:
        defaults = {"git_sha": SHA, "deployed_at": AT, "version": "v2"}
        insert_row(self.connection, make_deploy(id=deploy_id, **{**defaults, **fields}))
        insert_commits(self.connection, get_deploy(self.connection, 1, deploy_id), commits)

    def show(self, version: str = "v2", sha: str = SHA, minute: float = 6, **more: Any) -> None:
        self.telemetry.show(version, sha, minute, **more)
        observe_releases(self.connection, IdMaker(lambda: NOW), NOW)

    def judge(self, deploy_id: int = 1, **fields: Any) -> None:
        impact = make_impact(get_deploy(self.connection, 1, deploy_id), **fields)
        store_verdict(self.connection, 1, Judged(impact, NOW, 1, 1, None, None), deploy_id)

    def find(self, name: str = "1", terms: Terms = TERMS) -> list[Finding]:
        return examine_named(self.connection, [SHOP], name, terms, NOW)

    def sentences(self, name: str = "1") -> list[str]:
        return [one.sentence for one in self.find(name)]

    def notes(self, name: str = "1", terms: Terms = TERMS) -> list[str]:
        return [one.sentence for one in self.find(name, terms) if one.mark != "ok"]


COMMITS = (Commit(SHA, AT - HOUR, "Mend it", "Ann"),)


@pytest.fixture
def clinic(connection: Connection) -> Clinic:
    return Clinic(connection)


def has(sentences: list[str], words: str) -> bool:
    return any(words in sentence for sentence in sentences)


def test_a_deploy_that_nothing_is_wrong_with(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS)
    clinic.show()
    first, *rest = clinic.find()
    assert first.sentence.endswith("counts in the delivery numbers.")
    assert "told by api" in first.sentence
    assert [one.mark for one in rest] == ["ok"]
    assert rest[0].sentence == "v2 is not judged yet."


def test_by_sha_prefix_version_or_id(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS)
    clinic.show()
    for name in ("1", "v2", SHA, SHA[:7]):
        assert clinic.find(name)[0].about == "1"
    assert has(clinic.notes("a1"), "No deploy of shop has a1")


@pytest.mark.parametrize("name", ["zy", "v7", "r"])
def test_short_names_stand_for_themselves(clinic: Clinic, name: str) -> None:
    clinic.deploy(1, git_sha="zy", version="v7", external_id="r")
    clinic.deploy(2, git_sha="zyx", version="v70", external_id="r2")
    assert {one.about for one in clinic.find(name)} == {"1"}


def test_what_is_known_of_a_short_name(clinic: Clinic) -> None:
    for refusal_id, body in (
        (1, b'{"version": "v9"}'),
        (2, b'{"version": "v90", "git_sha": "xv9"}'),
    ):
        refusal = Refusal(
            id=refusal_id, project_id=1, route="/ingest/deploys", key_id=None, status=400,
            message=f"{refusal_id} is bad.", fields={}, body=body, refused_at=NOW,
        )  # fmt: skip
        insert_refusal(clinic.connection, refusal)
    insert_row(clinic.connection, make_deploy(id=7, project_id=2, git_sha="v9"))
    clinic.deploy(commits=(Commit("v9", AT), Commit("v91", AT)))
    _, refused, elsewhere, brought = clinic.find("v9")
    assert refused.sentence.endswith(": 1 is bad.")
    assert "The project other has" in elsewhere.sentence
    assert brought.sentence.startswith("The commit v9 was brought by deploy 1")
    assert len(clinic.find("v")) == 1


@pytest.mark.parametrize(
    ("fields", "words", "advice"),
    [
        ({"env": "staging"}, "none of the production environments", "production_environments"),
        ({"hidden_at": NOW - HOUR}, "is hidden since", "deploys restore 1"),
        ({"status": "failed"}, "v2 (a1a1a1a) failed", "did not go live"),
        ({"status": "cancelled"}, "was cancelled", "did not go live"),
        ({"status": "timed_out"}, "its end never came", "must send the end"),
        ({"status": "started", "deployed_at": NOW - MINUTE}, "not ended yet", "times out in"),
        ({"is_left_out": True, "sources": ("github",)}, "Only GitHub told", "github_beside_api"),
        ({"recorded_at": AT - 2 * HOUR}, "2h after it was recorded", "clock is ahead"),
    ],
)
def test_what_leaves_it_out(
    clinic: Clinic, fields: dict[str, Any], words: str, advice: str
) -> None:
    clinic.deploy(commits=COMMITS, **fields)
    [told] = [one for one in clinic.find() if words in one.sentence]
    assert (told.mark, advice in told.advice) == ("note", True)
    counted = " counts in no delivery number."
    if "env" in fields:
        counted = " counts in the delivery numbers where staging is chosen."
    elif "recorded_at" in fields:
        counted = " counts in the delivery numbers."
    assert clinic.find()[0].sentence.endswith(counted)


def test_an_environment_that_the_settings_name_counts(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS, env="eu-live")
    rules = RULES._replace(production=("*-live",))
    assert not has(clinic.notes(terms=TERMS._replace(rules=rules)), "production environments")
    assert has(clinic.notes(), "production environments")


def test_a_redeploy_counts_in_no_number(clinic: Clinic) -> None:
    clinic.deploy(1, COMMITS)
    clinic.deploy(2, deployed_at=AT + HOUR)
    assert clinic.find("2")[0].sentence.endswith("counts in no delivery number.")
    assert has(clinic.notes("2"), "since deploy 1: a redeploy is shown, and counts in no number")
    assert not has(clinic.notes("1"), "redeploy")


OTHER = Commit("b2" * 20, AT, "Undo it\n\nThis reverts commit " + SHA + ".", "Ann")


@pytest.mark.parametrize(
    ("fields", "following", "words"),
    [
        ({"tags": ("sev1",)}, None, "tagged sev1"),
        ({"overruled": "failed"}, None, "a person said so"),
        ({}, {"git_sha": "c3" * 20}, "rolled back by deploy 2"),
        (
            {},
            {"git_sha": OTHER.sha, "commits": (OTHER,)},
            "a commit of it was taken back by deploy 2",
        ),
        ({}, {"git_sha": OTHER.sha, "tags": ("is_fix",)}, "followed by deploy 2, tagged as a fix"),
    ],
)
def test_a_failure_is_told_with_what_shows_it(
    clinic: Clinic, fields: dict[str, Any], following: dict[str, Any] | None, words: str
) -> None:
    clinic.deploy(9, git_sha="c3" * 20, deployed_at=AT - HOUR)
    clinic.deploy(1, COMMITS, **fields)
    if following is not None:
        assert not has(clinic.sentences(), "counts as failed")
        clinic.deploy(2, deployed_at=AT + HOUR, **following)
    assert has(clinic.sentences(), f"It counts as failed: {words}")


def test_a_verdict_fails_it_until_a_person_says_otherwise(clinic: Clinic) -> None:
    clinic.deploy(1, COMMITS)
    clinic.deploy(2, COMMITS, overruled="ok", deployed_at=AT + HOUR, git_sha="d4" * 20)
    clinic.judge(1)
    clinic.judge(2)
    assert has(clinic.sentences("1"), "It counts as failed: it regressed")
    assert not has(clinic.sentences("2"), "It counts as failed")
    assert has(clinic.sentences("2"), "A person said that it did not fail")


def test_a_rollback_brings_no_commits_and_is_asked_for_none(clinic: Clinic) -> None:
    clinic.deploy(1, COMMITS)
    clinic.deploy(2, (OTHER,), git_sha=OTHER.sha, deployed_at=AT + MINUTE)
    clinic.deploy(3, deployed_at=AT + HOUR)
    told = clinic.sentences("3")
    assert has(told, "It is a rollback")
    assert not has(told, "lead time")
    assert told[0].endswith("counts in the delivery numbers.")


def test_twins_and_sources_are_told(clinic: Clinic) -> None:
    clinic.deploy(1, COMMITS, sources=("api", "github"))
    clinic.deploy(2, COMMITS, deployed_at=AT + 20 * MINUTE)
    sentences = [one.sentence for one in clinic.find("1")]
    assert has(sentences, "api and github told of it: these are one deploy")
    assert has(sentences, "20m apart: deploy 2 (succeeded, told by api)")


@pytest.mark.parametrize(
    ("commits", "words"),
    [
        ((), "nobody told which commits it brought"),
        ((Commit(SHA),), "nobody told when its commits were made"),
        ((Commit(SHA, AT + MINUTE),), "1 of its 1 commits are newer than the deploy"),
        ((Commit(SHA, AT - HOUR, is_approximate=True),), "lead time is approximate"),
        ((*COMMITS, Commit("e5", AT - HOUR)), "of its 2 commits only the deployed one counts"),
    ],
)
def test_lead_times_that_are_missing(
    clinic: Clinic, commits: tuple[Commit, ...], words: str
) -> None:
    clinic.deploy(commits=commits)
    assert has(clinic.notes(), words)


def test_telemetry_that_is_missing_or_goes_by_another_name(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS)
    assert has(clinic.notes(), "No telemetry of shop in production ever came")
    clinic.show(env="prod")
    [told] = [one for one in clinic.find() if "ever came" in one.sentence]
    assert "It comes from shop in prod" in told.advice
    clinic.show("v1", "b2" * 20, 1)
    assert has(clinic.notes(), "never showed its version (v2); last it had v1")


def test_telemetry_without_a_version(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS)
    clinic.show("", "")
    assert has(clinic.notes(), "does not say which version it is of")


def test_a_version_that_was_there_before(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS, deployed_at=AT + 3 * HOUR)
    clinic.show()
    assert has(clinic.sentences(), "Its version was seen 3h before its time")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "pending"}, "It is pending until"),
        ({"state": "superseded"}, "was replaced before there was enough to see"),
        ({"endpoints": (make_endpoint(verdict="not_enough_data"),)}, "Not enough data"),
        ({"endpoints": (make_endpoint(verdict="improved"),)}, "Its verdict is improved (final)"),
    ],
)
def test_how_it_was_judged(clinic: Clinic, fields: dict[str, Any], words: str) -> None:
    clinic.deploy(commits=COMMITS)
    clinic.judge(**fields)
    assert has([one.lower() for one in clinic.sentences()], words.lower())


def test_what_was_recorded_long_after_its_time(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS, recorded_at=AT + 3 * DAY)
    assert has(clinic.sentences(), "It was recorded 3d after its time")
    clinic.deploy(2, git_sha="f6" * 20, recorded_at=AT + 3 * DAY, sources=("import",))
    assert not has(clinic.sentences("2"), "after its time")


def test_of_many_the_newest_are_told(clinic: Clinic) -> None:
    for number in range(1, 8):
        clinic.deploy(number, deployed_at=AT + number * HOUR)
    found = clinic.find("v2")
    abouts = list(dict.fromkeys(one.about for one in found))
    assert abouts == ["7", "6", "5", "4", "3", "v2"]
    assert has([found[-1].sentence], "these are the newest 5")


def test_telemetry_that_came_long_after(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS)
    clinic.show(minute=90)
    assert has(clinic.notes(), "was seen only 85m after its time")


def test_what_is_older_than_the_minutes_is_not_judged(clinic: Clinic) -> None:
    clinic.deploy(commits=COMMITS)
    clinic.show()
    terms = TERMS._replace(judged_since=NOW)
    assert has(clinic.notes(terms=terms), "was not judged while the minutes around it were kept")


def test_what_is_known_of_a_name_that_no_deploy_has(clinic: Clinic) -> None:
    body = b'{"git_sha": "beef1234", "env": "$ENV"}'
    refusal = Refusal(
        id=1, project_id=1, route="/ingest/deploys", key_id=None, status=400, message="No.",
        fields={"env": "holds '$ENV'"}, body=body, refused_at=NOW,
    )  # fmt: skip
    insert_refusal(clinic.connection, refusal)
    other = make_deploy(id=7, project_id=2, git_sha="beef1234")
    insert_row(clinic.connection, other)
    clinic.deploy(commits=(*COMMITS, Commit("beef1234", AT)))
    clinic.telemetry.show("beef1234", "", 6, env="eu")
    sentences = clinic.notes("beef12")
    assert has(sentences, "No deploy of shop has beef12")
    assert has(sentences, "was refused with 400")
    assert has(sentences, "env holds '$ENV'")
    assert has(sentences, "The project other has a deploy of that name")
    assert has(sentences, "The commit beef1234 was brought by deploy 1")
    assert has(clinic.notes("beef1234"), "Telemetry shows that version of shop in eu")


def test_without_a_project_all_are_looked_at(clinic: Clinic) -> None:
    clinic.deploy(3, git_sha="beef" * 10)
    insert_row(clinic.connection, make_deploy(id=7, project_id=2, git_sha="beef" * 10))
    projects = [SHOP, Project(2, "other", "Other", START)]

    def find(name: str) -> list[Finding]:
        return examine_named(clinic.connection, projects, name, TERMS, NOW)

    assert {one.about for one in find("beefbeef")} == {"3", "7"}
    refusal = Refusal(
        id=1, project_id=2, route="/ingest/deploys", key_id=None, status=400, message="No.",
        fields={}, body=b'{"git_sha": "cafe1234"', refused_at=NOW,
    )  # fmt: skip
    insert_refusal(clinic.connection, refusal)
    missing, refused = [one.sentence for one in find("cafe1234")]
    assert missing == "No deploy has cafe1234 as its id, sha or version."
    assert "was refused with 400" in refused


def test_the_whole_project(clinic: Clinic) -> None:
    def told(rules: DeliveryRules = RULES) -> list[str]:
        return [f.sentence for f in examine_deploys(clinic.connection, SHOP, rules, NOW)]

    assert told() == []
    clinic.deploy(1)
    assert told() == []
    clinic.deploy(2, deployed_at=AT + HOUR)
    clinic.deploy(3, status="failed", git_sha="c3", deployed_at=AT + HOUR)
    clinic.deploy(4, env="staging")
    clinic.deploy(5, hidden_at=NOW)
    [sentence] = told()
    assert sentence.endswith(
        "leave out 4 deploys: 1 hidden, 1 to other environments, 1 failed, 1 redeployed."
    )
    assert has(told(RULES._replace(production=("live",))), "none of them is a production")
