"""Ways to run the application: in process, in process with the lifespan, and behind a real server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI


def calling(app: FastAPI) -> httpx.AsyncClient:
    """Return a client whose requests `app` answers in process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of `app` inside the lifespan of `app`."""
    async with app.router.lifespan_context(app), calling(app) as client:
        yield client


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Serve `app` with uvicorn on a free port of the loopback interface, and yield a client."""
    listening = socket.create_server(("127.0.0.1", 0))  # a client may connect before the server has started
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await serving
