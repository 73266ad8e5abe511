"""Cohere's Command models."""

from ..dialects.cohere import dialect as cohere_v2_chat
from .dialect_provider import DialectProvider


class CohereProvider(DialectProvider):
    """Cohere's Command models, with the Chat v2 dialect."""

    dialects = (cohere_v2_chat.DIALECT,)
