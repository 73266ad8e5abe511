"""The application: `uvicorn incidents.app:app` reads the environment; `create_app` takes any container."""

import functools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from faultmaven import ConfigurationError, Container, LLMError, open_container

from .errors import answer_error
from .routes import router

open_from_environment = functools.partial(open_container, configure_logging=True)
"""Opens the container from the environment, with the logging that the environment configures."""


def check_configured(container: Container) -> None:
    """Refuse a container without any available provider, since every call would fail."""
    if not container.llm().is_available():
        raise ConfigurationError(
            "no provider is configured",
            advice="Set FAULTMAVEN_ENV to development, staging or production, and the keys that its .env file names.",
        )


def create_app(
    opening: Callable[[], AbstractAsyncContextManager[Container]] = open_from_environment,
    *,
    names_providers: bool = False,
) -> FastAPI:
    """Return the service.

    Args:
        opening: Returns the context manager of the container, entered at start-up and left at shutdown. It also
            configures logging.
        names_providers: Whether replies may name providers, models and variables.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as container:  # a faulty configuration fails here, before the first request
            check_configured(container)
            app.state.container = container
            yield

    app = FastAPI(title="Incidents", lifespan=lifespan)
    app.state.names_providers = names_providers
    app.include_router(router)
    app.add_exception_handler(LLMError, answer_error)
    return app


app = create_app(names_providers=os.environ.get("INCIDENTS_NAMES_PROVIDERS") == "true")
