# pyright: reportUnnecessaryTypeIgnoreComment=false
"""The class of the guide for both type checkers. Pyright accepts a parameter without a type, so it would report the one
ignored line of this file as unnecessary.
"""

from typing import List, Optional, assert_type  # noqa: UP035 - the guide writes List and Optional

from faultmaven import LLMProvider
from faultmaven.infrastructure.llm.providers import BaseLLMProvider, LLMResponse, ProviderConfig


class GuideProvider(BaseLLMProvider):
    """The class of the guide with exactly the signatures of the guide.

    `generate` narrows four parameters that the base types as Any, so the override is valid under --strict. The only
    error in strict mode is the guide's bare `**kwargs`, a parameter without a type. With `**kwargs: Any` (see
    assertions.py) there is no error to ignore.
    """

    @property
    def provider_name(self) -> str:
        """Return the name."""
        return "anthropic"

    def is_available(self) -> bool:
        """Read the configuration as the guide does."""
        return bool(self.config.api_key and self.config.base_url and self.config.models)

    def get_supported_models(self) -> List[str]:  # noqa: UP006 - the guide's words
        """Read the configuration as the guide does."""
        return self.config.models.copy()

    async def generate(  # type: ignore[no-untyped-def]
        self,
        prompt: str,
        model: Optional[str] = None,  # noqa: UP045 - the guide's words
        max_tokens: int = 1000,
        temperature: float = 0.7,
        **kwargs,
    ) -> LLMResponse:
        """Use the helpers of the base class, as the guide does."""
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


def check_guide_class_is_no_port(config: ProviderConfig) -> None:
    """The class takes only a string and the port takes messages as well, so the registry wraps the class."""
    provider: LLMProvider = GuideProvider(config)  # type: ignore[assignment]
    assert_type(provider, LLMProvider)
