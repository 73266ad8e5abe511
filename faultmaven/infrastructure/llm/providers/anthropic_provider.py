"""Anthropic's Claude models."""

from faultmaven.infrastructure.llm.providers.wire_provider import WireProvider
from faultmaven.infrastructure.llm.wire import anthropic_messages


class AnthropicProvider(WireProvider):
    """Anthropic's Claude models, over their own wire."""

    dialects = (anthropic_messages.DIALECT,)
