"""Google's Gemini models."""

from ..dialects.gemini import dialect as gemini_generate_content
from .dialect_provider import DialectProvider


class GeminiProvider(DialectProvider):
    """Google's Gemini models, over their own wire."""

    dialects = (gemini_generate_content.DIALECT,)
