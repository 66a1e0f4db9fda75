"""A real terminal, for what asks questions."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_in_terminal(
    where: Path,
    *arguments: str,
    typed: dict[str, str | None],
    program: Sequence[str] = ("-m", "miniapm"),
) -> tuple[int, str]:
    """Runs `miniapm` at a terminal; types each answer when its question appears, Ctrl-C for None.

    The exit code, and all that stood on the screen.
    """
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if "MINIAPM" not in name}
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=where,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen, seen, waiting, interrupts = "", 0, dict(typed), 0
    while True:
        if not select.select([ours], [], [], 2 if interrupts else 20)[0]:
            assert 0 < interrupts < 10, f"it waits, and shows: {screen}"
            # a signal that comes just before a read begins waits for its end: press again
            process.send_signal(signal.SIGINT)
            interrupts += 1
            continue
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed: the command is done
            break
        if not piece:
            break
        screen += piece.decode()
        for question, answer in list(waiting.items()):
            if question in screen[seen:]:
                seen = len(screen)
                del waiting[question]
                if answer is None:
                    process.send_signal(signal.SIGINT)
                    interrupts += 1
                else:
                    os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return process.wait(20), screen
