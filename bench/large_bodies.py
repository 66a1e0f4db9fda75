"""Bodies as large as the limits allow: 64 MiB that arrive as less than 8 MiB of gzip."""

import http.client
import threading
import time
import zlib
from collections.abc import Sequence
from contextlib import closing

from bench.servers import ServerProcess
from bench.traces import Bodies

MIB = 1024 * 1024
LARGEST = 64 * MIB
LARGEST_COMPRESSED = 8 * MIB
_GIVE_UP_SECONDS = 120


def make_large_body(bodies: Bodies, filler: Bodies, first: int) -> bytes:
    """Gzip of as many ordinary protobuf bodies (from number `first`) as stay below 8 MiB, and then
    of one small body again and again up to 64 MiB; joined protobuf messages are one message."""
    packer = zlib.compressobj(6, wbits=31)
    compressed = bytearray()
    size, number = 0, first
    while len(compressed) < LARGEST_COMPRESSED * 0.93 and size < LARGEST - MIB:
        body = bodies.make(number)
        compressed += packer.compress(body)
        size, number = size + len(body), number + 1
    same = filler.make(first)
    compressed += packer.compress(same * ((LARGEST - size) // len(same)))
    return bytes(compressed + packer.flush())


def post_at_once(server: ServerProcess, key: str, bodies: Sequence[bytes]) -> list[int]:
    """Sends all at the same time, each again after Retry-After until it is taken; all statuses."""
    statuses: list[int] = []
    ready = threading.Barrier(len(bodies))

    def post(body: bytes) -> None:
        ready.wait()
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            status, wait = _post_once(server, key, body)
            statuses.append(status)
            if status != 503:
                return
            time.sleep(wait)

    threads = [threading.Thread(target=post, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def _post_once(server: ServerProcess, key: str, body: bytes) -> tuple[int, float]:
    host = server.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=_GIVE_UP_SECONDS)) as connection:
        connection.request(
            "POST",
            "/v1/traces",
            body,
            {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "gzip",
            },
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, float(answer.headers.get("Retry-After", "1"))
