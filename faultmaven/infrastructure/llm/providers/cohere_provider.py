"""Cohere's Command models."""

from faultmaven.infrastructure.llm.providers.wire_provider import WireProvider
from faultmaven.infrastructure.llm.wire import cohere_v2_chat


class CohereProvider(WireProvider):
    """Cohere's Command models, over their own wire."""

    dialects = (cohere_v2_chat.DIALECT,)
