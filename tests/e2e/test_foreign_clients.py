"""Real clients of other services, with nothing changed but the address and the key: what they got
stored. `foreign_clients/install` brings them."""

from pathlib import Path

import pytest

from miniapm.clock import DAY, now
from tests.client.git_repository import GitRepository
from tests.conftest import Server
from tests.e2e.kept_tools import Client, Program, stored
from tests.impacts import add_verdict
from tests.web.deploy_rows import add_deploy


@pytest.fixture(params=["sentry-cli-2", "sentry-cli-3"])
def sentry(
    request: pytest.FixtureRequest,
    real_server: Server,
    program: Program,
    repository: GitRepository,
) -> Client:
    variables = {
        "SENTRY_URL": real_server.url,
        "SENTRY_AUTH_TOKEN": real_server.make_key("deploys:write"),
        "SENTRY_ORG": "acme",
        "SENTRY_PROJECT": "shop",
    }
    return Client(program(request.param), repository.path, variables)


def release(sentry: Client, version: str) -> None:
    """What a pipeline does with sentry-cli for a version."""
    sentry("releases", "new", version)
    sentry("releases", "set-commits", version, "--local")
    sentry("releases", "finalize", version)


def deploy(sentry: Client, version: str, env: str, *more: str) -> None:
    sentry("deploys", "new", "--release", version, "-e", env, *more)


def test_sentry_cli_releases_and_deploys(
    real_server: Server, sentry: Client, repository: GitRepository
) -> None:
    repository.commit("Begin")
    first = repository.commit("Sell shoes")
    release(sentry, "1.0")
    deploy(sentry, "1.0", "staging", "--name", "nightly", "--url", "https://ci.example.com/7")
    deploy(sentry, "1.0", "production")
    second = repository.commit("Sell hats")
    release(sentry, "1.1")
    deploy(sentry, "1.1", "staging")
    third = repository.commit("Mend hats")
    release(sentry, "1.2")
    deploy(sentry, "1.2", "production", "--started", "1700000000", "--finished", "1700000100")
    deploy(sentry, "1.2", "production")
    assert stored(real_server, "version", "env", "service", "git_sha", "title", "url") == [
        {
            "version": version,
            "env": env,
            "service": "shop",
            "git_sha": sha,
            "title": title,
            "url": url,
        }
        for version, env, sha, title, url in (
            ("1.0", "staging", first, "nightly", "https://ci.example.com/7"),
            ("1.0", "production", first, None, None),
            ("1.1", "staging", second, None, None),
            ("1.2", "production", third, None, None),
            ("1.2", "production", third, None, None),
        )
    ]
    brought = real_server.rows(
        """select d.env, d.version, c.sha, c.author, c.message from deploy_commits c
        join deploys d on d.id = c.deploy_id
        where d.deployed_at > 1700000100000000 order by d.id, c.position"""
    )
    # what production got is what came since it was deployed there, not since the last release
    assert [row["sha"] for row in brought if row["version"] == "1.2"] == [third, second]
    assert [row["sha"] for row in brought if row["version"] == "1.1"] == [second]
    assert brought[0] == {
        "env": "staging",
        "version": "1.0",
        "sha": first,
        "author": "Ann",
        "message": "Sell shoes",
    }
    [past] = real_server.rows(
        "select started_at, deployed_at from deploys where started_at is not null"
    )
    assert past == {"started_at": 1_700_000_000_000_000, "deployed_at": 1_700_000_100_000_000}
    listed = sentry("releases", "list", "--show-projects")
    assert all(word in listed for word in ("1.0", "1.1", "1.2", "shop"))
    assert second in sentry("releases", "info", "1.1", "--show-commits")
    shown = sentry("deploys", "list", "--release", "1.0")
    assert all(word in shown for word in ("staging", "production", "nightly"))
    sentry("releases", "delete", "1.0")
    assert real_server.rows("select version from foreign_releases order by version") == [
        {"version": "1.1"},
        {"version": "1.2"},
    ]
    assert len(stored(real_server, "id")) == 5


def test_sentry_cli_again_stores_nothing_new(
    real_server: Server, sentry: Client, repository: GitRepository
) -> None:
    repository.commit("Begin")
    for _ in range(2):
        release(sentry, "1.0")
        deploy(sentry, "1.0", "production")
    assert len(stored(real_server, "id")) == 1
    assert real_server.rows("select version from foreign_releases") == [{"version": "1.0"}]


def test_sentry_cli_tells_the_commits_after_the_deploy(
    real_server: Server, sentry: Client, repository: GitRepository
) -> None:
    sha = repository.commit("Begin")
    deploy(sentry, "2.0", "production")
    assert stored(real_server, "git_sha") == [{"git_sha": "2.0"}]
    release(sentry, "2.0")
    assert stored(real_server, "version", "git_sha") == [{"version": "2.0", "git_sha": sha}]
    assert real_server.rows("select sha from deploy_commits") == [{"sha": sha}]


def test_sentry_cli_reads_why_it_is_refused(real_server: Server, sentry: Client) -> None:
    sentry.variables["SENTRY_AUTH_TOKEN"] = real_server.make_key("traces:write")
    said = sentry("releases", "new", "1.0", code=1)
    assert "This key lacks the scope deploys:write" in said
    assert real_server.rows("select version from foreign_releases") == []


@pytest.fixture
def grafana(real_server: Server, program: Program, tmp_path: Path) -> Client:
    variables = {"MINIAPM": real_server.url, "KEY": real_server.make_key("deploys:write")}
    return Client(program("python-with-clients"), tmp_path, variables)


GRAFANA = """
import os
from grafana_client import GrafanaApi
from grafana_client.client import TokenAuth

grafana = GrafanaApi.from_url(os.environ["MINIAPM"], credential=TokenAuth(os.environ["KEY"]))
"""


def test_grafana_client_adds_and_finds(real_server: Server, grafana: Client) -> None:
    add = """
added = grafana.annotations.add_annotation(
    time_from=1_700_000_000_000, time_to=1_700_000_060_000,
    tags=["deploy", "service:shop", "env:staging", "version:1.2.3"], text="shop 1.2.3\\nby ann")
assert added["message"] == "Annotation added" and added["id"], added
grafana.annotations.add_annotation_graphite(
    what="Event - deploy", tags=["deploy"], when=1_700_000_500, data="shop 1.2.4 is live")
found = grafana.annotations.find_annotations(
    time_from=1_700_000_000_000, time_to=1_700_000_100_000, tags=["deploy", "env:staging"])
print([(a["time"], a["timeEnd"], a["text"]) for a in found])
"""
    said = grafana("-c", GRAFANA + add.replace("\\\\", "\\"))
    text = "shop 1.2.3 to staging: shop 1.2.3"
    assert said == f"[(1700000000000, 1700000060000, '{text}')]\n"
    columns = ("service", "env", "version", "title", "description", "started_at", "deployed_at")
    assert stored(real_server, *columns) == [
        {
            "service": "shop",
            "env": "staging",
            "version": "1.2.3",
            "title": "shop 1.2.3",
            "description": "by ann",
            "started_at": 1_700_000_000_000_000,
            "deployed_at": 1_700_000_060_000_000,
        },
        {
            "service": "default",
            "env": "production",
            "version": "1.2.4",
            "title": "shop 1.2.4 is live",
            "description": None,
            "started_at": None,
            "deployed_at": 1_700_000_500_000_000,
        },
    ]


def test_grafana_client_is_told_which_tag_is_missing(real_server: Server, grafana: Client) -> None:
    said = grafana(
        "-c", GRAFANA + 'grafana.annotations.add_annotation(text="Started pb.yml")', code=1
    )
    assert "add a tag such as sha:abc1234" in said
    assert stored(real_server, "id") == []
    assert len(real_server.rows("select id from refusals where status = 400")) == 1


def test_dog_posts_an_event(real_server: Server, program: Program, tmp_path: Path) -> None:
    key = real_server.make_key("deploys:write")
    dog = Client(program("dog"), tmp_path, {})
    access = ("--api-key", key, "--application-key", "none", "--api_host", real_server.url)
    said = dog(*access, "event", "post", "Deployed shop 1.2.3", "by ann", "--tags", "service:shop")
    assert "Deployed shop 1.2.3" in said
    assert stored(real_server, "service", "env", "version", "title", "status") == [
        {
            "service": "shop",
            "env": "production",
            "version": "1.2.3",
            "title": "Deployed shop 1.2.3",
            "status": "succeeded",
        }
    ]
    assert "add a tag" in dog(*access, "event", "post", "Disk full", "91 %", code=1)
    assert len(stored(real_server, "id")) == 1


def test_datadog_ci_dora_deployment(
    real_server: Server, datadog: Client, repository: GitRepository
) -> None:
    sha = repository.commit("Sell shoes")
    datadog(
        *("dora", "deployment", "--service", "shop", "--env", "staging", "--version", "1.2.3"),
        *("--started-at", "1699960648", "--finished-at", "1699961048"),
        *("--team", "sales", "--custom-tags", "kind:nightly"),
    )
    columns = ("service", "env", "version", "git_sha", "repository", "started_at", "deployed_at")
    [found] = stored(real_server, *columns)
    assert found == {
        "service": "shop",
        "env": "staging",
        "version": "1.2.3",
        "git_sha": sha,
        "repository": "https://github.com/acme/shop.git",
        "started_at": 1_699_960_648_000_000,
        "deployed_at": 1_699_961_048_000_000,
    }
    tags = real_server.rows("select tag from deploy_tags order by position")
    assert [row["tag"] for row in tags] == ["kind:nightly", "team:sales"]


def test_datadog_ci_reads_why_it_is_refused(real_server: Server, datadog: Client) -> None:
    datadog.variables["DD_API_KEY"] = real_server.make_key("traces:write")
    arguments = ("--service", "shop", "--started-at", "1699960648", "--skip-git")
    said = datadog("dora", "deployment", *arguments, "--version", "1", code=1)
    assert "403" in said
    assert stored(real_server, "id") == []


@pytest.mark.parametrize(("state", "code"), [("final", 1), ("withdrawn", 0)])
def test_datadog_ci_stops_at_the_gate(
    real_server: Server, datadog: Client, state: str, code: int
) -> None:
    # the job judges none of that age: what stands there stays
    old = add_deploy(real_server, version="1.2.3", deployed_at=now() - 20 * DAY)
    add_verdict(real_server, old, state=state, verdict="regressed")
    arguments = ("--service", "shop", "--env", "production", "--version", "1.2.3")
    said = datadog("deployment", "gate", *arguments, code=code)
    assert ("Gate evaluation failed" in said) == (code == 1)
    assert ("POST /checkout" in said) == (code == 1)
    assert f"/p/default/deploys/{old.id}" in said
