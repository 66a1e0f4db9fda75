"""`miniapm check` as pipelines run it: with an environment and a server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import Command, Done
from tests.cli.terminal import run_in_terminal
from tests.client.recording_server import (
    RecordingServer,
    Reply,
    closed_port_url,
    recording_server,
)

KEY = "proj_TheSecretThatMustNeverBeSeen0123456789"
SHA = "0123456789abcdef0123456789abcdef01234567"
DEPLOYS = "/api/v1/deploys"
IMPACT = f"{DEPLOYS}/42/impact"
OWN_KEY = "/api/v1/key"
CHECKOUT = str(Path(__file__).resolve().parents[2])


def a_deploy(**fields: Any) -> dict[str, Any]:
    return {
        "id": "42",
        "external_id": None,
        "project": "shop",
        "service": "shop",
        "env": "production",
        "git_sha": SHA,
        "version": "v2",
        "status": "succeeded",
        "previous_id": "41",
        "hidden_at": None,
        "page": "http://miniapm.test/p/shop/deploys/42",
        **fields,
    }


def a_list(*deploys: dict[str, Any], cursor: str | None = None) -> Reply:
    return Reply.json(200, {"items": list(deploys), "next_cursor": cursor})


def an_impact(state: str = "final", verdict: str = "unchanged", **fields: Any) -> Reply:
    return Reply.json(
        200,
        {
            "deploy_id": "42",
            "state": state,
            "verdict": verdict,
            "learning": False,
            "sentence": "v2 did something.",
            "reasons": ["POST /checkout: p95 212 ms to 301 ms."],
            "endpoints": [],
            "smallest_visible_change": 0.18,
            "computed_at": None,
            "review": None,
            **fields,
        },
    )


def an_endpoint(**fields: Any) -> dict[str, Any]:
    return {"name": "POST /pay", "verdict": "regressed", "counts": True, "learning": True, **fields}


def a_review(decision: str) -> dict[str, Any]:
    return {"decision": decision, "note": "the nightly job", "actor": "ann"}


UNAVAILABLE = Reply(503, {"Retry-After": "1"})
NOT_THERE = Reply.json(404, {"error": "not_found", "message": "There is no such deploy."})


class Gate:
    """A server that answers by path, and the command that asks it."""

    def __init__(self, server: RecordingServer, command: Command) -> None:
        self.server = server
        self._command = command
        self.answer(OWN_KEY, Reply.json(200, {"env": None, "service": None}))
        self.answer(DEPLOYS, a_list(a_deploy()))
        self.answer(f"{DEPLOYS}/42", Reply.json(200, a_deploy()))
        earlier = a_deploy(id="41", git_sha="aaaaaaa1", version="v1", previous_id=None)
        self.answer(f"{DEPLOYS}/41", Reply.json(200, earlier))

    def answer(self, path: str, *replies: Reply) -> None:
        """What a path answers, one after the other; the last one stays."""
        self.server.replies_to[path] = list(replies)

    def __call__(self, *arguments: str, **environ: str) -> Done:
        settings = {"MINIAPM_URL": self.server.url, "MINIAPM_API_KEY": KEY}
        done = self._command("check", *arguments, **settings | environ)
        assert KEY not in done.out + done.err
        return done

    def questions(self, path: str) -> list[dict[str, str]]:
        """The queries that a path was asked with."""
        asked = [urlsplit(one.path) for one in self.server.gets]
        return [
            {name: values[0] for name, values in parse_qs(one.query).items()}
            for one in asked
            if one.path == path
        ]


@pytest.fixture
def gate(command: Command) -> Iterator[Gate]:
    for name in ("GITHUB_SHA", "CI_ENVIRONMENT_NAME", "KAMAL_SERVICE", "KAMAL_DESTINATION"):
        command.patch.delenv(name, raising=False)
    with recording_server() as server:
        yield Gate(server, command)


LEARNING = an_impact(verdict="regressed", learning=True, endpoints=[an_endpoint()])
KNOWN = an_impact(
    verdict="regressed", learning=True, endpoints=[an_endpoint(), an_endpoint(learning=False)]
)
WEAK = an_impact(
    verdict="regressed", learning=True, endpoints=[an_endpoint(counts=False, learning=False)]
)
DISMISSED = an_impact(verdict="regressed", review=a_review("dismiss"))
GUESS_CONFIRMED = an_impact(
    verdict="regressed", learning=True, endpoints=[an_endpoint()], review=a_review("confirm")
)


@pytest.mark.parametrize(
    ("reply", "outcome", "code", "strict_code"),
    [
        (an_impact(), "unchanged", 0, 0),
        (an_impact(verdict="improved"), "improved", 0, 0),
        (an_impact(verdict="regressed"), "regressed", 1, 1),
        (an_impact("provisional", "regressed"), "regressed", 1, 1),
        (an_impact("provisional"), "unchanged", 0, 0),
        (an_impact(verdict="not_enough_data"), "not_enough_data", 0, 1),
        (an_impact("withdrawn"), "withdrawn", 0, 0),
        (an_impact("superseded", "not_enough_data"), "superseded", 0, 1),
        (an_impact("pending", "not_enough_data"), "pending", 0, 1),
        (LEARNING, "learning", 0, 0),
        (KNOWN, "regressed", 1, 1),
        (WEAK, "learning", 0, 0),
        (DISMISSED, "dismissed", 0, 0),
        (GUESS_CONFIRMED, "regressed", 1, 1),
        (an_impact(review=a_review("confirm")), "unchanged", 0, 0),
        (an_impact(review=a_review("dismiss")), "unchanged", 0, 0),
    ],
)
def test_exit_codes(gate: Gate, reply: Reply, outcome: str, code: int, strict_code: int) -> None:
    gate.answer(IMPACT, reply)
    plain, strict = gate("--wait", "0"), gate("--wait", "0", "--strict", "--json")
    assert (plain.code, strict.code) == (code, strict_code)
    assert plain.out.startswith(outcome.replace("_", " "))
    answer = json.loads(strict.out)
    assert (answer["outcome"], answer["exit_code"]) == (outcome, strict_code)


def test_what_a_person_reads(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact("provisional", "regressed"))
    done = gate()
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "regressed (provisional): v2 did something.",
        "- POST /checkout: p95 212 ms to 301 ms.",
        "- Before it, v1 was live.",
        "- http://miniapm.test/p/shop/deploys/42",
    ]


def test_what_a_person_said_is_told(gate: Gate) -> None:
    gate.answer(IMPACT, DISMISSED)
    assert "- Dismissed by ann: the nightly job\n" in gate().out
    gate.answer(IMPACT, GUESS_CONFIRMED)
    assert "- Confirmed by ann: the nightly job\n" in gate().out


def test_what_a_program_reads(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed", endpoints=[an_endpoint()]))
    answer = json.loads(gate("--json").out)
    assert (answer["deploy_id"], answer["state"], answer["verdict"]) == ("42", "final", "regressed")
    assert answer["endpoints"] == [an_endpoint()]
    assert (answer["git_sha"], answer["version"]) == (SHA, "v2")
    assert (answer["env"], answer["service"]) == ("production", "shop")
    assert (answer["previous_sha"], answer["previous_version"]) == ("aaaaaaa1", "v1")


def test_a_previous_deploy_that_nobody_tells_of(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    gate.answer(f"{DEPLOYS}/41", UNAVAILABLE)
    done = gate("--json")
    assert (done.code, json.loads(done.out)["previous_version"]) == (1, None)
    gate.answer(DEPLOYS, a_list(a_deploy(previous_id=None)))
    assert json.loads(gate("--json").out)["previous_version"] is None


def test_what_senders_wrote_is_no_command_to_the_runner(gate: Gate) -> None:
    hostile = "::error::a\n::stop-commands::x\x1b[2J ##[group]b"
    gate.answer(IMPACT, an_impact(sentence=hostile, reasons=[hostile], review=None))
    done = gate()
    assert len(done.out.splitlines()) == 3
    assert not any(line.lstrip().startswith("::") for line in done.out.splitlines())
    assert "##[" not in done.out
    assert "\x1b" not in done.out


def test_it_waits_for_the_verdict(gate: Gate) -> None:
    pending = an_impact("pending", "not_enough_data")
    gate.answer(IMPACT, pending, pending, an_impact("provisional", "regressed"))
    done = gate("--wait", "1m")
    assert done.code == 1
    first, *polls = gate.questions(IMPACT)
    assert first == {}
    assert [poll["wait"] for poll in polls] == ["25", "25"]
    assert done.err == "waiting: v2 of shop in production: pending (1 min left)\n"


def test_a_line_for_each_change(gate: Gate) -> None:
    provisional = an_impact("provisional", "regressed")
    gate.answer(
        IMPACT,
        an_impact("pending", "not_enough_data"),
        provisional,
        provisional,
        an_impact("withdrawn"),
    )
    done = gate("--until", "final")
    assert done.code == 0
    assert done.err.splitlines() == [
        "waiting: v2 of shop in production: pending (75 min left)",
        "waiting: v2 of shop in production: provisional, regressed (75 min left)",
    ]
    assert done.out.startswith("withdrawn: ")


def test_only_a_final_verdict_counts_where_that_is_asked_for(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact("provisional", "regressed"))
    done = gate("--until", "final", "--wait", "0")
    assert done.code == 0
    assert done.out.startswith("pending: ")
    assert gate("--until", "final", "--wait", "0", "--strict").code == 1
    gate.answer(IMPACT, an_impact("final", "regressed"))
    assert gate("--until", "final", "--wait", "0").code == 1


def test_a_person_ends_the_waiting(gate: Gate) -> None:
    for decision, code in (("dismiss", 0), ("confirm", 1)):
        gate.answer(IMPACT, an_impact("provisional", "regressed", review=a_review(decision)))
        assert gate("--until", "final").code == code


def test_restarts_are_waited_through(gate: Gate) -> None:
    gate.answer(
        IMPACT,
        an_impact("pending", "not_enough_data"),
        UNAVAILABLE,
        Reply(500),
        an_impact(verdict="regressed"),
    )
    assert gate("--wait", "1m").code == 1
    waits = [question.get("wait") for question in gate.questions(IMPACT)]
    # whoever is turned away may be one too many who wait
    assert waits == [None, "25", None, None]


def test_a_server_that_does_not_come_back(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact("pending", "not_enough_data"), UNAVAILABLE)
    done = gate("--wait", "1s")
    assert (done.code, done.out) == (3, "")
    assert "the server answered 503" in done.err
    assert "see that the server runs at MINIAPM_URL" in done.err


def test_a_server_that_is_away(gate: Gate) -> None:
    done = gate("--wait", "0", MINIAPM_URL="http://no-such-name.invalid")
    assert (done.code, done.out) == (3, "")
    assert "see that the server runs at MINIAPM_URL" in done.err


@pytest.mark.slow
def test_a_server_that_refuses_connections_is_given_time_to_start(gate: Gate) -> None:
    done = gate("--wait", "0", MINIAPM_URL=closed_port_url())
    assert (done.code, done.out) == (3, "")
    assert "refuses connections" in done.err


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("path", [OWN_KEY, DEPLOYS, IMPACT])
def test_a_refused_key(gate: Gate, path: str, status: int) -> None:
    gate.answer(path, Reply.json(status, {"error": "x", "message": "No such key."}))
    done = gate("--wait", "0")
    assert (done.code, done.out) == (2, "")
    assert "No such key" in done.err


@pytest.mark.parametrize("name", ["MINIAPM_URL", "MINIAPM_API_KEY"])
def test_missing_settings(gate: Gate, name: str) -> None:
    settings: dict[str, Any] = {name: ""}
    done = gate(**settings)
    assert done.code == 2
    assert f"{name} is not set" in done.err


def test_an_address_that_is_not_miniapms(gate: Gate) -> None:
    gate.answer(DEPLOYS, Reply(200, {}, b"<html>"))
    assert gate("--wait", "0").code == 3
    gate.answer(DEPLOYS, Reply.json(200, [1]))
    assert gate("--wait", "0").code == 3
    gate.answer(DEPLOYS, a_list({"id": "1"}))
    assert gate("--wait", "0").code == 3
    gate.answer(DEPLOYS, a_list(a_deploy()))
    odd_state = {"state": "x", "verdict": "unchanged", "reasons": []}
    for odd in (None, 1, {"state": "final"}, odd_state):
        gate.answer(IMPACT, Reply.json(200, odd))
        done = gate("--wait", "0")
        assert done.code == 3
        assert "is no verdict" in done.err
    gate.answer(OWN_KEY, Reply(301, {"Location": "http://elsewhere.test/"}))
    assert gate("--wait", "0").code == 3


def test_an_answer_that_is_large(gate: Gate) -> None:
    many = [an_endpoint(name="x" * 2_000) for _ in range(2_000)]
    gate.answer(IMPACT, an_impact(verdict="regressed", endpoints=many))
    assert gate("--wait", "0").code == 1


def test_an_answer_that_is_too_large(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(sentence="x" * 9 * 2**20))
    done = gate("--wait", "0")
    assert (done.code, done.out) == (3, "")
    assert "the server answered 200, with more than 8 MiB, which is too large." in done.err


def test_the_latest_live_deploy(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact())
    assert gate().code == 0
    assert gate("latest").code == 0
    assert gate.questions(DEPLOYS) == [{"status": "succeeded", "limit": "50"}] * 2
    gate.answer(DEPLOYS, a_list())
    done = gate("--env", "staging")
    assert done.code == 3
    assert "There is no live deploy in staging yet." in done.err


def test_a_key_stands_for_a_place(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact())
    gate.answer(OWN_KEY, Reply.json(200, {"env": "staging", "service": "web"}))
    gate()
    gate("--env", "production", KAMAL_SERVICE="till")
    gate("--env", "a", "--service", "b")
    places = [(asked["env"], asked["service"]) for asked in gate.questions(DEPLOYS)]
    assert places == [("staging", "web"), ("production", "till"), ("a", "b")]
    assert len(gate.questions(OWN_KEY)) == 1


def test_a_server_that_does_not_know_of_keys_places(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact())
    gate.answer(OWN_KEY, NOT_THERE)
    assert gate().code == 0


def test_the_usual_place_where_several_could_be_meant(gate: Gate) -> None:
    gate.answer(f"{DEPLOYS}/7/impact", an_impact(verdict="regressed"))
    others = [
        a_deploy(id="9", env="staging"),
        a_deploy(id="8", service="worker"),
        a_deploy(id="7"),
        a_deploy(id="6"),
    ]
    gate.answer(DEPLOYS, a_list(*others))
    assert gate().code == 1
    assert gate("--sha", SHA).code == 1


def test_one_place_is_taken_whatever_it_is_called(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    gate.answer(DEPLOYS, a_list(a_deploy(env="live", service="web")))
    assert gate().code == 1


def test_several_places_without_a_usual_one(gate: Gate) -> None:
    gate.answer(DEPLOYS, a_list(a_deploy(env="eu", service="web"), a_deploy(env="us")))
    done = gate()
    assert done.code == 2
    assert "(shop in us, web in eu): give --env and --service." in done.err
    gate.answer(DEPLOYS, a_list(a_deploy(env="eu"), a_deploy(env="us")))
    done = gate()
    assert done.code == 2
    assert "Several deploys could be meant (shop in eu, shop in us): give --env." in done.err
    gate.answer(DEPLOYS, a_list(*(a_deploy(service=f"s{n}") for n in range(7))))
    assert "s4 in production and 2 more): give --service." in gate().err


def test_a_commit(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    found = [
        a_deploy(id="44", git_sha=SHA[:7] + "f" * 33),
        a_deploy(id="43", status="failed"),
        a_deploy(git_sha=SHA[:9]),
        a_deploy(id="40"),
    ]
    gate.answer(DEPLOYS, a_list(*found))
    assert gate("--sha", SHA, "--env", "production").code == 1
    asked = {"env": "production", "q": SHA[:7], "limit": "50"}
    assert gate.questions(DEPLOYS) == [asked, {**asked, "hidden": "1"}]


HIDDEN = "2026-01-01T00:00:00Z"


def test_a_commit_that_is_hidden(gate: Gate) -> None:
    gate.answer(DEPLOYS, a_list(), a_list(a_deploy(hidden_at=HIDDEN)))
    done = gate("--sha", SHA, "--wait", "1h")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"miniapm: The deploy of {SHA} is hidden: only one that is live has a verdict.\n"
    )


def test_a_commit_that_is_hidden_and_live_again(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    gate.answer(DEPLOYS, a_list(a_deploy()), a_list(a_deploy(id="43", hidden_at=HIDDEN)))
    assert gate("--sha", SHA).code == 1


def test_a_hidden_deploy_does_not_make_another_the_one_that_is_meant(gate: Gate) -> None:
    gate.answer(
        DEPLOYS,
        a_list(a_deploy(id="43", service="blog")),
        a_list(a_deploy(service="web", hidden_at=HIDDEN)),
    )
    done = gate("--sha", SHA)
    assert done.code == 2
    assert "(blog in production, web in production, hidden): give --service." in done.err


def test_a_commit_that_is_no_hash(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact())
    gate.answer(DEPLOYS, a_list(a_deploy(id="43", git_sha="release-70"), a_deploy(git_sha="r7")))
    assert gate("--sha", "r7").code == 0
    assert gate.questions(DEPLOYS)[0]["q"] == "r7"


def test_a_commit_that_is_not_recorded_yet(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    running = a_deploy(status="started")
    nothing = a_list()
    gate.answer(DEPLOYS, nothing, nothing, a_list(running), nothing, a_list(a_deploy()), nothing)
    done = gate("--sha", SHA)
    assert done.code == 1
    assert done.err.splitlines() == [
        f"waiting: the deploy of {SHA} is not recorded yet (15 min left)",
        f"waiting: the deploy of {SHA} has not ended yet (15 min left)",
    ]


def test_a_commit_that_never_comes(gate: Gate) -> None:
    gate.answer(DEPLOYS, a_list(a_deploy(git_sha="f" * 40)))
    done = gate("--sha", SHA, "--wait", "1s")
    assert (done.code, done.out) == (3, "")
    assert f"The deploy of {SHA} is not recorded yet; see that its hook reports it." in done.err
    done = gate("--sha", SHA, "--wait", "0")
    assert (done.code, done.err.count("\n"), "waiting" in done.err) == (3, 1, False)


def test_an_id_of_miniapm(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    assert gate("--id", "42", KAMAL_DESTINATION="staging").code == 1
    assert gate.questions(DEPLOYS) == []


@pytest.mark.parametrize("own_id", ["run-7", "7"])
def test_an_id_of_the_sender(gate: Gate, own_id: str) -> None:
    gate.answer(IMPACT, an_impact(verdict="regressed"))
    gate.answer(f"{DEPLOYS}/7", NOT_THERE)
    gate.answer(
        DEPLOYS, a_list(a_deploy(id="43"), cursor="next"), a_list(a_deploy(external_id=own_id))
    )
    assert gate("--id", own_id).code == 1
    assert [asked.get("cursor") for asked in gate.questions(DEPLOYS)] == [None, "next"]


def test_an_id_that_nobody_knows(gate: Gate) -> None:
    gate.answer(f"{DEPLOYS}/7", NOT_THERE)
    done = gate("--id", "7")
    assert (done.code, done.out) == (3, "")
    assert "There is no deploy 7; the address of a deploy's page ends in its id." in done.err


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"status": "failed"}, "failed"),
        ({"status": "timed_out"}, "timed out"),
        ({"hidden_at": "2026-01-01T00:00:00Z"}, "hidden"),
    ],
)
def test_a_deploy_that_is_not_live(gate: Gate, fields: dict[str, str], word: str) -> None:
    gate.answer(f"{DEPLOYS}/42", Reply.json(200, a_deploy(**fields)))
    done = gate("--id", "42")
    assert done.code == 3
    assert f"The deploy 42 is {word}: only one that is live has a verdict." in done.err


def test_a_deploy_that_is_gone_meanwhile(gate: Gate) -> None:
    gate.answer(IMPACT, an_impact("pending", "not_enough_data"), NOT_THERE)
    done = gate()
    assert done.code == 3
    assert "There is no such deploy" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--wait", "15"),
        ("--wait", "soon"),
        ("--wait", "2d"),
        ("--until", "later"),
        ("--sha", " "),
        ("--env", ""),
        ("--sha", SHA, "--id", "42"),
        ("latest", "--sha", SHA),
        ("newest",),
        ("--unknown",),
    ],
)
def test_wrong_flags(gate: Gate, arguments: tuple[str, ...]) -> None:
    done = gate(*arguments)
    assert (done.code, done.out) == (2, "")
    assert gate.server.received == []


def test_a_time_without_a_unit(gate: Gate) -> None:
    assert "has no unit: give 5m for minutes, 5s for seconds" in gate("--wait", "5").err
    assert "such as 5m or 90s, or 0" in gate("--wait", "soon").err


@pytest.mark.parametrize("verdict", ["regressed", "unchanged"])
@pytest.mark.parametrize(
    "line",
    [
        "($CHECK; echo $? >code) | true",
        "($CHECK --json; echo $? >code) | true",
        "($CHECK; echo $? >code) 2>&1 | true",
        "$CHECK >&-; echo $? >code",
        "$CHECK --json >&- 2>&-; echo $? >code",
    ],
)
def test_nobody_reads_what_it_prints(gate: Gate, line: str, verdict: str) -> None:
    gate.answer(
        IMPACT,
        an_impact("pending", "not_enough_data"),
        an_impact(verdict=verdict, reasons=["x" * 99_000]),
    )
    line = line.replace("$CHECK", f"'{sys.executable}' -m miniapm check")
    settings = {"MINIAPM_URL": gate.server.url, "MINIAPM_API_KEY": KEY, "PYTHONPATH": CHECKOUT}
    done = subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert Path("code").read_text() == f"{int(verdict == 'regressed')}\n"


def test_one_line_on_a_terminal(gate: Gate, tmp_path: Path, monkeypatch: Any) -> None:
    pending = an_impact("pending", "not_enough_data")
    gate.answer(IMPACT, pending, pending, pending, an_impact())
    program = tmp_path / "wait.py"
    program.write_text(
        f"import os\nos.environ.update(MINIAPM_URL={gate.server.url!r}, MINIAPM_API_KEY={KEY!r})\n"
        "from miniapm.cli import main\nmain()\n"
    )
    code, screen = run_in_terminal(tmp_path, "check", typed={}, program=(str(program),))
    assert code == 0
    waiting, result = screen.rsplit("\x1b[K", 1)
    assert waiting.count("waiting: ") == 3
    assert "\n" not in waiting
    assert result.startswith("unchanged: ")


def test_nothing_of_the_server_is_imported() -> None:
    heavy = ("msgspec", "asyncio", "starlette", "sqlite3", "jinja2", "uvicorn")
    code = f"import sys, miniapm.cli.check; print([n for n in {heavy} if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
