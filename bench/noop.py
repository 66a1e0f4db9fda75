"""The baseline: a Starlette POST that reads the body and answers 202, uvicorn set as ours."""

import asyncio
import socket

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from miniapm.app import uvicorn_config
from miniapm.config import Config


async def _accept(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


async def _serve() -> None:
    app = Starlette(routes=[Route("/ingest/deploys", _accept, methods=["POST"])])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await uvicorn.Server(uvicorn_config(Config(), app)).serve(sockets=[listener])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `miniapm serve`
        runner.run(_serve())
