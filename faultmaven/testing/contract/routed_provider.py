"""An adapter that sends the requests of a guide-form class through the router."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from ...domain.responses import LLMResponse
from ...ports.llm import LLMProvider, LLMStream


class RoutedProvider:
    """An `LLMProvider` with the name and models of `instance` whose requests go through `router`."""

    def __init__(self, instance: LLMProvider, router: LLMProvider) -> None:
        self._instance = instance
        self._router = router

    @property
    def provider_name(self) -> str:
        """The provider name of the wrapped instance."""
        return self._instance.provider_name

    def is_available(self) -> bool:
        """Return whether the wrapped instance is available."""
        return self._instance.is_available()

    def get_supported_models(self) -> list[str]:
        """Return the supported models of the wrapped instance."""
        return self._instance.get_supported_models()

    async def generate(self, *arguments: Any, **options: Any) -> LLMResponse:
        """Return the response of the router, or raise its `LLMError`."""
        return await self._router.generate(*arguments, **options)

    def stream(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context manager that opens a stream of the router."""
        return self._router.stream(*arguments, **options)

    def __repr__(self) -> str:
        return repr(self._instance)
