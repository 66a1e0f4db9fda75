"""What stands before miniapm for clients that speak to nothing but https at their service's host:
nginx as the README sets it up, and a forward proxy that leads there whatever host is asked for."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60
# what stands around the `server` of the README
AROUND = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxied;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    access_log {directory}/access.log;
    {server}
}}
"""


@dataclass(frozen=True)
class TlsProxy:
    """`certificate` is the file of the authority to trust, `socket` where it listens."""

    certificate: Path
    socket: Path


@contextmanager
def run_nginx(
    program: str, openssl: str, directory: Path, server: str, upstream: str
) -> Iterator[TlsProxy]:
    """Runs the `server` of the README before the one at `upstream`, with a certificate for all of
    its names."""
    directory.mkdir()
    names = server.partition("server_name ")[2].partition(";")[0].split()
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = [
        openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
        f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names),
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    proxy = TlsProxy(certificate, directory / "socket")
    for theirs, ours in (
        ("listen 443 ssl", f"listen unix:{proxy.socket} ssl"),
        ("/etc/nginx/miniapm.pem", str(certificate)),
        ("/etc/nginx/miniapm.key", str(key)),
        ("http://127.0.0.1:3000", upstream),
    ):
        assert server.count(theirs) == 1
        server = server.replace(theirs, ours)
    settings = directory / "nginx.conf"
    settings.write_text(AROUND.format(directory=directory, server=server), encoding="utf-8")
    process = subprocess.Popen(
        [program, "-e", "stderr", "-p", str(directory), "-c", str(settings)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        # it says how it waits for events once it listens
        said = process.stderr.readline()
        assert "event method" in said, said + process.stderr.read()
        yield proxy
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


@contextmanager
def run_forward_proxy(to: Path) -> Iterator[str]:
    """Takes every CONNECT, and hands what comes to the socket `to`; yields what is for
    HTTPS_PROXY."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        threads: list[threading.Thread] = []

        def accept() -> None:
            # closing the listener ends it
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    thread = threading.Thread(target=serve, args=(client,))
                    thread.start()
                    threads.append(thread)

        def serve(client: socket.socket) -> None:
            client.settimeout(SECONDS)
            with contextlib.suppress(OSError), closing(client):
                _relay(client, to)

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join(SECONDS)
        assert not thread.is_alive()


def _relay(client: socket.socket, to: Path) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(SECONDS)
        server.connect(str(to))
        back = threading.Thread(target=_copy, args=(server, client))
        back.start()
        _copy(client, server)
        back.join(SECONDS)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until one side ends; then the other one does, too."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for side in (target, source):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
