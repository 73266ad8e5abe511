"""The public classes and functions of the provider guide."""

from .anthropic_provider import AnthropicProvider
from .base import BaseLLMProvider, LLMResponse, ProviderConfig
from .cohere_provider import CohereProvider
from .gemini_provider import GeminiProvider
from .local_provider import LocalProvider
from .openai_provider import OpenAIProvider
from .registry import PROVIDER_SCHEMA, ProviderRegistry, get_registry, reset_registry

__all__ = [
    "PROVIDER_SCHEMA",
    "AnthropicProvider",
    "BaseLLMProvider",
    "CohereProvider",
    "GeminiProvider",
    "LLMResponse",
    "LocalProvider",
    "OpenAIProvider",
    "ProviderConfig",
    "ProviderRegistry",
    "get_registry",
    "reset_registry",
]
