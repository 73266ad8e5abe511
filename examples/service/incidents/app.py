"""The application: `uvicorn incidents.app:app` for one that reads the environment, `create_app` for any other."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from faultmaven import Container, LLMError, open_container

from .errors import answer_error
from .routes import router


def create_app(
    opening: Callable[[], AbstractAsyncContextManager[Container]] = open_container, *, names_providers: bool = False
) -> FastAPI:
    """Return the service.

    Args:
        opening: Gives the container; it is entered at start-up, and left at shutdown.
        names_providers: Whether replies may name providers, models and variables.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as container:  # a faulty configuration ends it here, before the first request
            app.state.container = container
            yield

    app = FastAPI(title="Incidents", lifespan=lifespan)
    app.state.names_providers = names_providers
    app.include_router(router)
    app.add_exception_handler(LLMError, answer_error)
    return app


app = create_app(names_providers=os.environ.get("INCIDENTS_NAMES_PROVIDERS") == "true")
