"""The same service out of a host's own `dependency-injector` container, of which ours is a part.

Run it with `uvicorn --factory incidents.host:create_hosted_app`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dependency_injector import containers, providers
from fastapi import FastAPI

from faultmaven import Container

from .app import create_app
from .diagnosis import Diagnostician


class Host(containers.DeclarativeContainer):
    """Everything that the host is made of: here an `LLMProvider` for each role, and what takes one."""

    faultmaven = providers.Container(Container)
    synthesis = providers.Factory(faultmaven.llm, role="synthesis")
    diagnostician = providers.Factory(Diagnostician, llm=faultmaven.llm)


@asynccontextmanager
async def opened(host: Host) -> AsyncIterator[Container]:
    """Give the host's container of ours, as `open_from_environment` gives one of its own."""
    container = host.faultmaven()
    try:
        container.apply_logging()  # first, so that warnings of the configuration are logged
        container.router_parts()  # builds all of it, so that a faulty configuration is told at start-up
        yield container
    finally:
        await container.aclose()


def create_hosted_app(host: Host | None = None) -> FastAPI:
    """Return the service over a host's container."""
    wired = host or Host()
    return create_app(lambda: opened(wired))
