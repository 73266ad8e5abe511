"""Google's Gemini models."""

from faultmaven.infrastructure.llm.dialects.gemini import dialect as gemini_generate_content
from faultmaven.infrastructure.llm.providers.dialect_provider import WireProvider


class GeminiProvider(WireProvider):
    """Google's Gemini models, over their own wire."""

    dialects = (gemini_generate_content.DIALECT,)
