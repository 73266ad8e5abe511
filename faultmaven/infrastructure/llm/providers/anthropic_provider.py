"""Anthropic's Claude models."""

from ..dialects.anthropic import dialect as anthropic_messages
from .dialect_provider import DialectProvider


class AnthropicProvider(DialectProvider):
    """Anthropic's Claude models, with the Messages dialect."""

    dialects = (anthropic_messages.DIALECT,)
