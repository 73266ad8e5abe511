"""Google's Gemini models."""

from faultmaven.infrastructure.llm.providers.wire_provider import WireProvider
from faultmaven.infrastructure.llm.wire import gemini_generate_content


class GeminiProvider(WireProvider):
    """Google's Gemini models, over their own wire."""

    dialects = (gemini_generate_content.DIALECT,)
