# pyright: reportUnnecessaryTypeIgnoreComment=false
"""The guide's class as both type checkers see it. Pyright has nothing against a parameter without a type, so it would
find the one ignored line of this file needless.
"""

from typing import List, Optional, assert_type  # noqa: UP035 - the guide writes List and Optional

from faultmaven import LLMProvider
from faultmaven.infrastructure.llm.providers import BaseLLMProvider, LLMResponse, ProviderConfig


class GuideProvider(BaseLLMProvider):
    """The guide's class with the guide's signatures, letter by letter.

    `generate` narrows four parameters that the base types as Any, so the override itself is sound under --strict. The
    one thing that strict mode holds against it is the guide's own bare `**kwargs`: a parameter without a type. Whoever
    writes `**kwargs: Any` (see below) has nothing to ignore.
    """

    @property
    def provider_name(self) -> str:
        """Give the name."""
        return "anthropic"

    def is_available(self) -> bool:
        """Use the config as the guide does."""
        return bool(self.config.api_key and self.config.base_url and self.config.models)

    def get_supported_models(self) -> List[str]:  # noqa: UP006 - the guide's words
        """Use the config as the guide does."""
        return self.config.models.copy()

    async def generate(  # type: ignore[no-untyped-def]
        self,
        prompt: str,
        model: Optional[str] = None,  # noqa: UP045 - the guide's words
        max_tokens: int = 1000,
        temperature: float = 0.7,
        **kwargs,
    ) -> LLMResponse:
        """Use what the base gives, as the guide does."""
        self._start_timing()
        effective_model = self.get_effective_model(model)
        assert_type(effective_model, str)
        content = self._validate_response_content(str(kwargs))
        return LLMResponse(
            content=content,
            confidence=self.config.confidence_score,
            provider=self.provider_name,
            model=effective_model,
            tokens_used=1,
            response_time_ms=self._get_response_time_ms(),
        )


def the_guides_class_is_no_port(config: ProviderConfig) -> None:
    """It takes a string where the port takes turns as well: the registry wraps it."""
    provider: LLMProvider = GuideProvider(config)  # type: ignore[assignment]
    assert_type(provider, LLMProvider)
