"""A class of the guide's form as its caller has it: asked through the router, known by its own members."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from ...domain.responses import LLMResponse
from ...ports.llm import LLMProvider, LLMStream


class AskedThroughRouter:
    """An `LLMProvider`: `made` says who it is, `routed` asks it."""

    def __init__(self, made: LLMProvider, routed: LLMProvider) -> None:
        self._made = made
        self._routed = routed

    @property
    def provider_name(self) -> str:
        """What the class itself says."""
        return self._made.provider_name

    def is_available(self) -> bool:
        """Return what the class itself says."""
        return self._made.is_available()

    def get_supported_models(self) -> list[str]:
        """Return what the class itself says."""
        return self._made.get_supported_models()

    async def generate(self, *arguments: Any, **options: Any) -> LLMResponse:
        """Return the answer, or raise an `LLMError`."""
        return await self._routed.generate(*arguments, **options)

    def stream(self, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[LLMStream]:
        """Return a context that opens the stream."""
        return self._routed.stream(*arguments, **options)

    def __repr__(self) -> str:
        return repr(self._made)
