"""Anthropic's Claude models."""

from faultmaven.infrastructure.llm.dialects.anthropic import dialect as anthropic_messages
from faultmaven.infrastructure.llm.providers.dialect_provider import WireProvider


class AnthropicProvider(WireProvider):
    """Anthropic's Claude models, over their own wire."""

    dialects = (anthropic_messages.DIALECT,)
