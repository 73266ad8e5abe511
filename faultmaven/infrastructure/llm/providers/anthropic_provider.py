"""Anthropic's Claude models."""

from ..dialects.anthropic import dialect as anthropic_messages
from .dialect_provider import DialectProvider


class AnthropicProvider(DialectProvider):
    """Anthropic's Claude models, over their own wire."""

    dialects = (anthropic_messages.DIALECT,)
