"""`miniapm serve`."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    db: Annotated[str | None, typer.Option(help="The database file.")] = None,
) -> None:
    """Run the server: everything in one process."""
    import asyncio
    import os
    import signal

    from miniapm.app import run_server
    from miniapm.config import load_config

    loaded = load_config(
        os.environ, flags={"server.host": host, "server.port": port, "storage.path": db}
    )
    # uvicorn raises the signal again when it is done: by then it has been obeyed
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    asyncio.run(run_server(loaded.config, lambda running: print(running.address, flush=True)))
