import subprocess
import sys

SCRIPT = """
import os
from pathlib import Path
from miniapm.cli.large_blocks import give_back_large_blocks

def held_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

give_back_large_blocks()
body = b"a" * (8 << 20)
del body  # from here on glibc would keep blocks up to this size
before = held_bytes()
bodies = [b"a" * (100 << 10) for _ in range(400)]
last = bodies[-1]
del bodies
print(held_bytes() - before)
"""
BODIES_BYTES = 400 * (100 << 10)


def test_what_large_bodies_held_is_the_systems_again() -> None:
    # in a process of its own: the setting is for good
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(run.stdout) < BODIES_BYTES // 10
