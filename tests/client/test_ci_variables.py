"""What is read from the environment of each deploy tool, and that nothing else is."""

import pytest

from miniapm.client.ci_variables import Variables, read_variables

SHA = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40

KAMAL = {
    "KAMAL_RECORDED_AT": "2024-01-15T14:30:00Z",
    "KAMAL_PERFORMER": "ann@example.com",
    "KAMAL_VERSION": SHA,
    "KAMAL_SERVICE_VERSION": "shop@0123456",
    "KAMAL_SERVICE": "shop",
    "KAMAL_HOSTS": "10.0.0.1,10.0.0.2",
    "KAMAL_COMMAND": "deploy",
    "KAMAL_DESTINATION": "staging",
    "KAMAL_RUNTIME": "95",
}
GITHUB = {
    "GITHUB_SHA": SHA,
    "GITHUB_REF_NAME": "v1.2.3",
    "GITHUB_REF_TYPE": "tag",
    "GITHUB_ACTOR": "ann",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
}
GITLAB = {
    "CI_COMMIT_SHA": SHA,
    "CI_COMMIT_TAG": "v1.2.3",
    "CI_ENVIRONMENT_NAME": "production",
    "CI_PIPELINE_URL": "https://gitlab.com/acme/shop/-/pipelines/1",
    "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/2",
    "GITLAB_USER_LOGIN": "ann",
    "CI_PROJECT_URL": "https://gitlab.com/acme/shop",
}
HEROKU = {
    "HEROKU_BUILD_COMMIT": SHA,
    "HEROKU_RELEASE_VERSION": "v42",
    "HEROKU_APP_NAME": "shop",
}


def test_kamal() -> None:
    assert read_variables(KAMAL) == Variables(
        sha=SHA,
        env="staging",
        service="shop",
        deployer="ann@example.com",
        timestamp="2024-01-15T14:30:00Z",
        started_at="2024-01-15T14:28:25Z",
    )


@pytest.mark.parametrize(
    ("kamal_version", "command", "sha", "version"),
    [
        (SHA, "deploy", SHA, None),
        (SHA, "rollback", SHA, None),
        (f"{SHA}_uncommitted_0123456789abcdef", "deploy", SHA, "whole"),
        ("v1.2.3", "deploy", None, "whole"),
        ("v1.2.3", "rollback", "v1.2.3", "whole"),
        ("", "deploy", None, None),
    ],
)
def test_kamals_version(
    kamal_version: str, command: str, sha: str | None, version: str | None
) -> None:
    found = read_variables({"KAMAL_VERSION": kamal_version, "KAMAL_COMMAND": command})
    assert (found.sha, found.version) == (sha, kamal_version if version else None)


@pytest.mark.parametrize(
    ("recorded_at", "runtime", "timestamp", "started_at"),
    [
        ("2024-01-15T14:30:00Z", "", "2024-01-15T14:30:00Z", None),
        ("2024-01-15T14:30:00Z", "soon", "2024-01-15T14:30:00Z", None),
        ("2024-01-15T14:30:00Z", "0", "2024-01-15T14:30:00Z", "2024-01-15T14:30:00Z"),
        ("yesterday", "5", None, None),
        ("", "5", None, None),
    ],
)
def test_kamals_times(
    recorded_at: str, runtime: str, timestamp: str | None, started_at: str | None
) -> None:
    found = read_variables({"KAMAL_RECORDED_AT": recorded_at, "KAMAL_RUNTIME": runtime})
    assert (found.timestamp, found.started_at) == (timestamp, started_at)


def test_github() -> None:
    assert read_variables(GITHUB) == Variables(
        sha=SHA,
        version="v1.2.3",
        deployer="ann",
        url="https://github.com/acme/shop/actions/runs/77/attempts/2",
        repository="https://github.com/acme/shop",
    )


def test_a_branch_is_no_version() -> None:
    branch = GITHUB | {"GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main"}
    assert read_variables(branch).version is None


def test_who_ran_it_again_deployed_it() -> None:
    again = GITHUB | {"GITHUB_TRIGGERING_ACTOR": "bob"}
    assert read_variables(again).deployer == "bob"


def test_gitlab() -> None:
    assert read_variables(GITLAB) == Variables(
        sha=SHA,
        version="v1.2.3",
        env="production",
        deployer="ann",
        url="https://gitlab.com/acme/shop/-/jobs/2",
        repository="https://gitlab.com/acme/shop",
    )
    without_job = {name: value for name, value in GITLAB.items() if name != "CI_JOB_URL"}
    assert read_variables(without_job).url == "https://gitlab.com/acme/shop/-/pipelines/1"


def test_heroku() -> None:
    assert read_variables(HEROKU) == Variables(sha=SHA, version="v42", service="shop")
    old = {"HEROKU_SLUG_COMMIT": OTHER, "HEROKU_RELEASE_VERSION": "v41"}
    assert read_variables(old) == Variables(sha=OTHER, version="v41")
    assert read_variables(HEROKU | old).sha == SHA


def test_kamal_in_a_pipeline_knows_what_and_the_pipeline_knows_who() -> None:
    found = read_variables(GITHUB | KAMAL)
    assert (found.sha, found.version, found.deployer) == (SHA, "v1.2.3", "ann")
    assert found.url == "https://github.com/acme/shop/actions/runs/77/attempts/2"
    rolled_back = read_variables(GITHUB | KAMAL | {"KAMAL_VERSION": OTHER})
    assert (rolled_back.sha, rolled_back.version) == (OTHER, None)


def test_nothing_else_is_read() -> None:
    asked: set[str] = set()

    class Watched(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
            asked.add(name)
            return super().get(name, default)

    environ = Watched(KAMAL | GITHUB | GITLAB | HEROKU)
    read_variables(environ)
    assert asked <= {
        *("KAMAL_VERSION", "KAMAL_DESTINATION", "KAMAL_SERVICE", "KAMAL_PERFORMER"),
        *("KAMAL_RECORDED_AT", "KAMAL_RUNTIME", "KAMAL_COMMAND"),
        *("HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT", "HEROKU_RELEASE_VERSION"),
        "HEROKU_APP_NAME",
        *GITHUB,
        "GITHUB_TRIGGERING_ACTOR",
        *GITLAB,
    }


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "a\x00b"])
def test_values_that_no_field_takes_are_not_there(value: str) -> None:
    assert read_variables({"CI_ENVIRONMENT_NAME": value}).env is None
