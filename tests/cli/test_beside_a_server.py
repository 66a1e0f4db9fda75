"""Commands that write and copy while a server takes all that it can: nobody hears of a lock."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from miniapm import clock
from miniapm.storage.copies import check_copy
from tests.conftest import Server, start_server

SENDERS = 8


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    yield from start_server(tmp_path / "miniapm.db", clock.now)


def start(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "miniapm", *arguments],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_nobody_hears_of_a_lock(server: Server, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {server.make_key('deploys:write')}"}
    first = server.http.post("/ingest/deploys", headers=headers, json={"git_sha": "first"})
    deploy_id = first.headers["location"].rsplit("/", 1)[1]
    answers: list[int] = []
    done = threading.Event()

    def send(number: int) -> None:
        with httpx2.Client(base_url=server.url, headers=headers) as client:
            count = 0
            while not done.is_set():
                count += 1
                sha = f"load{number}n{count}"
                answers.append(client.post("/ingest/deploys", json={"git_sha": sha}).status_code)

    lines = [{"git_sha": f"old{i}", "timestamp": 1_500_000_000 + i} for i in range(3000)]
    (tmp_path / "old.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    senders = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        commands = [
            start(tmp_path, "deploys", "import", "old.ndjson"),
            start(tmp_path, "backup", "copy.db"),
            *(start(tmp_path, "deploys", "edit", deploy_id, "--title", f"t{i}") for i in range(3)),
            start(tmp_path, "deploys", "export", "--output", "out.ndjson"),
        ]
        ends = [(one.communicate(timeout=60), one.returncode) for one in commands]
    finally:
        done.set()
        for sender in senders:
            sender.join(20)
    assert [(code, err) for (_, err), code in ends if code] == []
    assert "locked" not in "".join(out + err for (out, err), _ in ends)
    assert set(answers) == {202}
    [stored] = server.rows("select count(*) as deploys from deploys")
    assert stored["deploys"] == 1 + len(answers) + 3000
    assert len(server.rows("select id from deploy_changes")) == 3
    copied = check_copy(tmp_path / "copy.db").rows["deploys"]
    assert 1 <= copied <= stored["deploys"]
    exported = (tmp_path / "out.ndjson").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in exported}) == len(exported) >= 1
    assert server.rows("pragma integrity_check") == [{"integrity_check": "ok"}]
