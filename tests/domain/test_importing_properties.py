"""What is written in one of the formats is read as it was meant, whatever it is."""

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import MINUTE, SECOND, to_datetime, to_rfc3339
from miniapm.domain.deploys.commit_lines import CommitLine, place_commits, read_commit_line
from miniapm.domain.deploys.given_lines import LeftOut
from miniapm.domain.deploys.importing import Format, parse_lines, read_lines
from miniapm.domain.instants import YEAR_2000, parse_instant
from miniapm.exceptions import Invalid

shas = st.text(st.sampled_from("0123456789abcdef"), min_size=7, max_size=40)
moments = st.integers(YEAR_2000 // SECOND, 1_800_000_000).map(lambda seconds: seconds * SECOND)
texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20)
names = texts.map(str.strip).filter(bool)


def parse(file_format: Format, content: bytes) -> list[Any]:
    lines = read_lines(io.BytesIO(content).readline)
    return [found for _, found in parse_lines(file_format, lines)]


fields = st.fixed_dictionaries({"git_sha": shas}, optional={"title": texts, "version": names})


@given(st.lists(fields, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_ndjson(rows: list[dict[str, str]], end: str) -> None:
    for ensure_ascii in (True, False):
        content = "".join(json.dumps(row, ensure_ascii=ensure_ascii) + end for row in rows)
        assert parse("ndjson", content.encode()) == rows


cells = st.text(st.sampled_from("a=+-@'\",;\t\n\u00e9 "), max_size=8)
sheets = st.lists(st.tuples(shas, cells, texts), max_size=6)


@given(sheets, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_csv(rows: list[tuple[str, str, str]], delimiter: str, end: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(("git_sha", "title", "deployer"))
    writer.writerows(rows)
    found = parse("csv", out.getvalue().encode())
    assert [(one["git_sha"], one["title"], one["deployer"]) for one in found] == rows


# a branch may hold whatever the log's own sentence holds
branches = names | st.sampled_from(["main", "fix (at abc1234)", "x) deployed as release by"])
releases = st.lists(st.tuples(moments, shas, branches, texts.map(str.strip)), min_size=1)


@given(releases, st.data())
def test_capistrano(written: list[tuple[int, str, str, str]], data: st.DataObject) -> None:
    lines, expected, known = [], [], {}
    latest = 0
    for at, sha, branch, user in written:
        release = f"{to_datetime(at):%Y%m%d%H%M%S}"
        lines.append(f"Branch {branch} (at {sha}) deployed as release {release} by {user}")
        expected.append((sha, to_rfc3339(at), user or None))
        known[release] = sha
        latest = at
        if data.draw(st.booleans()):
            back = data.draw(st.sampled_from(sorted(known)))
            latest += SECOND
            lines.append(f"{user} rolled back to release {back}")
            expected.append((known[back], to_rfc3339(latest), user or None))
    found = parse("capistrano", "\n".join(lines).encode())
    assert [(one["git_sha"], one["timestamp"], one["deployer"]) for one in found] == expected


subjects = st.lists(names, max_size=3).map("\t".join)  # only the last field may hold a tab


@given(st.lists(st.tuples(names, shas, st.none() | shas, moments, texts.map(str.strip), subjects)))
def test_git_tags(tags: list[tuple[str, str, str | None, int, str, str]]) -> None:
    content = "\n".join(
        "\t".join((name, sha, commit or "", to_rfc3339(at), tagger, subject))
        for name, sha, commit, at, tagger, subject in tags
    )
    assert parse("git-tags", content.encode()) == [
        {
            "git_sha": commit or sha,
            "version": name,
            "timestamp": to_rfc3339(at),
            "deployer": tagger or None,
            "title": subject if subject and subject != name else None,
        }
        for name, sha, commit, at, tagger, subject in tags
    ]


states = st.lists(
    st.sampled_from(
        ["queued", "pending", "waiting", "in_progress", "success", "failure", "error", "inactive"]
    ),
    unique=True,
)
histories = st.lists(st.tuples(shas, moments, states), max_size=4)


@given(histories, st.randoms(use_true_random=False))
def test_github_whatever_the_order_of_the_statuses(
    history: list[tuple[str, int, list[str]]], random: Any
) -> None:
    inside: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    for number, (sha, at, told) in enumerate(history):
        url = f"https://api.github.com/repos/acme/shop/deployments/{number}"
        made = {"url": url, "id": number, "sha": sha, "environment": "production"}
        made["created_at"] = to_rfc3339(at)
        statuses = [
            {"state": state, "created_at": to_rfc3339(at + place * MINUTE), "deployment_url": url}
            for place, state in enumerate(told, 1)
        ]
        random.shuffle(statuses)
        inside.append({**made, "statuses": statuses})
        beside += [made, *statuses]
    found = parse("github", json.dumps(inside).encode())
    assert found == parse("github", json.dumps(beside).encode())
    for one, (sha, _, told) in zip(found, history, strict=True):
        if "success" in told:
            assert (one["git_sha"], one["status"]) == (sha, "succeeded")
        elif {"failure", "error"} & set(told):
            assert one["status"] == "failed"
        elif "in_progress" in told and "inactive" not in told:
            assert one["status"] == "started"


commits = st.fixed_dictionaries(
    {"sha": shas, "timestamp": moments.map(to_rfc3339)},
    optional={
        "message": names,
        "author": names,
        "branch": st.sampled_from(["main", "next"]),
        "repository": st.just("https://github.com/acme/shop"),
    },
)


@given(st.lists(commits, max_size=8))
def test_commits_keep_the_order_of_their_file(given: list[dict[str, Any]]) -> None:
    lines = [read_commit_line(one) for one in given]
    assert [line.commit.sha for line in lines] == [one["sha"] for one in given]
    assert [line.commit.committed_at for line in lines] == [
        parse_instant(one["timestamp"]) for one in given
    ]
    placed = place_commits(lines)
    times = [one["timestamp"] for one in given]
    is_newest_first = bool(times) and times[0] > times[-1]
    assert [one.line for one in placed] == (lines[::-1] if is_newest_first else lines)
    for branch in {one.line[:2] for one in placed}:
        positions = [one.position for one in placed if one.line[:2] == branch]
        assert positions == sorted(set(positions))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children),
    max_leaves=6,
)
keys = st.sampled_from(
    ["sha", "timestamp", "message", "author", "branch", "repository", "approximate"]
)


@given(st.dictionaries(keys | st.text(max_size=5), json_values | st.sampled_from(["a" * 40, "1"])))
def test_whatever_a_line_says_it_is_a_commit_or_refused(given: dict[str, Any]) -> None:
    judged = _judge(given)
    if isinstance(judged, Invalid):
        assert judged.fields
    else:
        assert judged.commit.sha == given["sha"].strip().lower()


def _judge(given: dict[str, Any]) -> CommitLine | Invalid:
    try:
        return read_commit_line(given)
    except Invalid as error:
        return error


deployment_keys = st.sampled_from(
    [
        *("url", "id", "sha", "environment", "creator", "description", "repository_url"),
        *("created_at", "statuses", "state", "deployment_url", "log_url", "target_url"),
    ]
)


@given(st.lists(st.dictionaries(deployment_keys, json_values | st.just("https://[x/repos/a/b"))))
def test_whatever_an_object_of_github_says_it_is_a_deployment_or_refused(given: list[Any]) -> None:
    found = parse("github", json.dumps(given).encode())
    assert all(isinstance(one, dict | LeftOut | Invalid) for one in found)
