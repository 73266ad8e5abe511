"""Dependencies of the routes for `Depends`. Tests override any of these functions."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends, Request

from faultmaven import Container, LLMProvider

from .diagnosis import Diagnostician


async def get_container(request: Request) -> Container:
    """Return the container that the lifespan opened."""
    container: Container = request.app.state.container
    return container


Opened = Annotated[Container, Depends(get_container)]


async def get_chat(container: Opened) -> LLMProvider:
    """Return the provider of `CHAT_PROVIDER`. The call is cheap and always uses the current configuration."""
    return container.llm()


async def get_synthesis(container: Opened) -> LLMProvider:
    """Return the provider of `SYNTHESIS_PROVIDER`, or of `CHAT_PROVIDER` if that variable is unset."""
    return container.llm(role="synthesis")


async def get_classifier(container: Opened) -> LLMProvider:
    """Return the provider of `CLASSIFIER_PROVIDER`, or of `CHAT_PROVIDER` if that variable is unset."""
    return container.llm(role="classifier")


ChatLLM = Annotated[LLMProvider, Depends(get_chat)]
SynthesisLLM = Annotated[LLMProvider, Depends(get_synthesis)]
ClassifierLLM = Annotated[LLMProvider, Depends(get_classifier)]


async def get_diagnostician(llm: ChatLLM) -> Diagnostician:
    """Return a domain object with an injected provider."""
    return Diagnostician(llm)


async def open_until_sent() -> AsyncIterator[AsyncExitStack]:
    """Yield a stack that is closed after the response, in the task of the request, even if the client disconnects."""
    async with AsyncExitStack() as until_sent:
        yield until_sent


async def names_providers(request: Request) -> bool:
    """Return whether replies may name providers, models and variables."""
    return bool(request.app.state.names_providers)


Diagnosing = Annotated[Diagnostician, Depends(get_diagnostician)]
UntilSent = Annotated[AsyncExitStack, Depends(open_until_sent)]
NamesProviders = Annotated[bool, Depends(names_providers)]
